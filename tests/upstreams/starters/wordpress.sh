#!/usr/bin/env bash
# WordPress with PHP's own server; needs MariaDB on 127.0.0.1, and there root without a password.
. "$(dirname "$0")/lib.sh"
database=catchment_wp_$PORT
sql() { mariadb -h127.0.0.1 -uroot -e "$1"; }
cp -aL /usr/share/wordpress "$DATA/wp" 2>/dev/null || true # some links lead nowhere
sql "drop database if exists $database; create database $database"
trap 'trap - EXIT; [ -n "$child" ] && kill $child 2>/dev/null; wait; sql "drop database if exists $database"; exit 0' EXIT INT TERM
cat > "$DATA/wp/wp-config.php" <<P
<?php
define('DB_NAME', '$database'); define('DB_USER', 'root'); define('DB_PASSWORD', ''); define('DB_HOST', '127.0.0.1');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', 'http://127.0.0.1:$PORT'); define('WP_SITEURL', 'http://127.0.0.1:$PORT');
define('WP_ENVIRONMENT_TYPE', 'local'); define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true); define('AUTOMATIC_UPDATER_DISABLED', true);
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as \$name) define(\$name, 'x' . \$name);
\$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
P
python3 "$HERE/seed.py" 250 > "$DATA/items.json"
cat > "$DATA/fill.php" <<'P'
<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = '127.0.0.1';
require $argv[1] . '/wp/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Shop', 'ann', 'ann@shop.example', true, '', 's3cret');
wp_suspend_cache_addition(true);
foreach (json_decode(file_get_contents($argv[1] . '/items.json'), true) as $item) wp_insert_post([
    'post_title' => $item['sku'] . ' ' . $item['name'],
    'post_content' => $item['note'] ?? 'none',
    'post_status' => 'publish',
    'post_date_gmt' => str_replace(['T', 'Z'], [' ', ''], $item['created_at']),
    'post_author' => 1,
]);
P
php -d memory_limit=512M "$DATA/fill.php" "$DATA" >"$DATA/fill.log" 2>&1
cd "$DATA/wp"
php -S "127.0.0.1:$PORT" >"$DATA/log" 2>&1 &
child=$!
up "http://127.0.0.1:$PORT/"
ready "http://127.0.0.1:$PORT/?rest_route=/wp/v2/posts&per_page=50"
