"""A stock Django REST framework project: every paginator it ships, and every usual way to log in.

`python drf.py PORT FOLDER`; the database is made anew in the folder.
"""
# Django wants its settings before its models are imported.
# ruff: noqa: E402

import sys
from pathlib import Path

import django
from django.conf import settings

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
settings.configure(
    DEBUG=False,
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    TIME_ZONE="America/Chicago",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework.authtoken",
        "rest_framework_json_api",
        "django_filters",
        "oauth2_provider",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "drf.db"}},
    MIDDLEWARE=[
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
    ],
    REST_FRAMEWORK={
        "PAGE_SIZE": 50,
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    },
    OAUTH2_PROVIDER={
        "SCOPES": {"read": "read"},
        "DEFAULT_SCOPES": ["read"],
        "ACCESS_TOKEN_EXPIRE_SECONDS": 20,
        "PKCE_REQUIRED": False,
    },
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import include, path
from oauth2_provider.contrib.rest_framework import OAuth2Authentication, TokenHasScope
from oauth2_provider.models import Application
from rest_framework import authentication, pagination, permissions, serializers, viewsets
from rest_framework.authtoken.models import Token
from rest_framework.routers import DefaultRouter
from rest_framework_json_api import pagination as jsonapi_pagination
from rest_framework_json_api import renderers as jsonapi_renderers
from rest_framework_json_api import serializers as jsonapi_serializers
from rest_framework_json_api import views as jsonapi_views

sys.path.insert(0, str(Path(__file__).parent))

from seed import items


class Owner(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "shop"


class Item(models.Model):
    sku = models.CharField(max_length=20)
    name = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=9, decimal_places=2)
    quantity = models.IntegerField()
    active = models.BooleanField()
    note = models.TextField(null=True)
    owner = models.ForeignKey(Owner, models.CASCADE)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "shop"
        ordering = ("id",)


class ItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = Item
        fields = "__all__"


class OwnerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Owner
        fields = "__all__"


class JsonApiItemSerializer(jsonapi_serializers.ModelSerializer):
    class Meta:
        model = Item
        fields = "__all__"


class Numbered(pagination.PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100


class Limited(pagination.LimitOffsetPagination):
    default_limit = 50
    max_limit = 100


class Cursor(pagination.CursorPagination):
    page_size = 50
    ordering = "created_at"


class JsonApiPages(jsonapi_pagination.JsonApiPageNumberPagination):
    page_size = 50
    max_page_size = 100


class Items(viewsets.ReadOnlyModelViewSet):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    pagination_class = Numbered
    authentication_classes = ()
    filterset_fields = {"updated_at": ["gte", "gt", "lt"]}  # noqa: RUF012 - as Django has it


class LimitedItems(Items):
    pagination_class = Limited


class CursorItems(Items):
    pagination_class = Cursor


class PlainItems(Items):
    pagination_class = None


class ItemsOfOwner(Items):
    def get_queryset(self):
        return Item.objects.filter(owner_id=self.kwargs["owner"])


class TokenItems(Items):
    authentication_classes = (authentication.TokenAuthentication,)
    permission_classes = (permissions.IsAuthenticated,)


class BasicItems(Items):
    authentication_classes = (authentication.BasicAuthentication,)
    permission_classes = (permissions.IsAuthenticated,)


class OAuthItems(Items):
    authentication_classes = (OAuth2Authentication,)
    permission_classes = (TokenHasScope,)
    required_scopes = ("read",)


class Owners(viewsets.ReadOnlyModelViewSet):
    queryset = Owner.objects.order_by("id")
    serializer_class = OwnerSerializer
    pagination_class = None
    authentication_classes = ()


class JsonApiItems(jsonapi_views.ReadOnlyModelViewSet):
    queryset = Item.objects.all()
    serializer_class = JsonApiItemSerializer
    pagination_class = JsonApiPages
    renderer_classes = (jsonapi_renderers.JSONRenderer,)
    authentication_classes = ()
    filter_backends = ()


router = DefaultRouter()
for prefix, view in (
    ("items", Items),
    ("limited", LimitedItems),
    ("cursor", CursorItems),
    ("plain", PlainItems),
    ("owners", Owners),
    ("token/items", TokenItems),
    ("basic/items", BasicItems),
    ("oauth/items", OAuthItems),
    (r"owners/(?P<owner>\d+)/items", ItemsOfOwner),
    ("jsonapi/items", JsonApiItems),
):
    router.register(prefix, view, basename=prefix)
urlpatterns = [
    path("api/", include(router.urls)),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


def fill() -> None:
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Owner)
        editor.create_model(Item)
    Owner.objects.bulk_create(Owner(id=n, name=f"owner {n}") for n in range(1, 12))
    Item.objects.bulk_create(
        Item(
            **{name: value for name, value in record.items() if name not in ("tags", "owner")},
            owner_id=record["owner"]["id"],
        )
        for record in items(250)
    )
    user = User.objects.create_user("ann", password="s3cret")
    Token.objects.create(user=user, key="0123456789abcdef0123456789abcdef01234567")
    Application.objects.create(
        name="catchment",
        user=user,
        client_id="catchment",
        client_secret="client-s3cret",
        client_type="confidential",
        authorization_grant_type="client-credentials",
    )


if __name__ == "__main__":
    fill()
    server = ThreadedWSGIServer(("127.0.0.1", PORT), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    server.serve_forever()
