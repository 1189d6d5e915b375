"""The coins of the sample market, as tickers of CoinPaprika."""

import random
from datetime import UTC, datetime, timedelta

from entrypoints.sample_upstream.documents import Record

Coin = tuple[str, str, float, float, float | None]

COINS: tuple[Coin, ...] = (
    ("Bitcoin", "BTC", 94_250.0, 19.97, 21.0), ("Ethereum", "ETH", 3_180.0, 120.7, None),
    ("Tether", "USDT", 1.0, 187_000.0, None), ("XRP", "XRP", 2.12, 60_600.0, 100_000.0),
    ("BNB", "BNB", 890.0, 136.4, None), ("Solana", "SOL", 138.0, 563.0, None),
    ("USD Coin", "USDC", 1.0, 75_300.0, None), ("Dogecoin", "DOGE", 0.139, 168_000.0, None),
    ("TRON", "TRX", 0.287, 94_700.0, None), ("Cardano", "ADA", 0.38, 36_700.0, 45_000.0),
    ("Hyperliquid", "HYPE", 25.6, 270.0, 1_000.0), ("Chainlink", "LINK", 13.1, 708.0, 1_000.0),
    ("Bitcoin Cash", "BCH", 604.0, 19.96, 21.0), ("Stellar", "XLM", 0.23, 32_400.0, 50_001.8),
    ("Monero", "XMR", 432.0, 18.4, None), ("Litecoin", "LTC", 79.4, 76.6, 84.0),
    ("Avalanche", "AVAX", 13.3, 429.0, 715.7), ("Sui", "SUI", 1.57, 3_740.0, 10_000.0),
    ("Hedera", "HBAR", 0.117, 42_500.0, 50_000.0), ("Shiba Inu", "SHIB", 7.4e-6, 5.9e8, None),
    ("Dai", "DAI", 1.0, 5_360.0, None), ("Toncoin", "TON", 1.63, 2_440.0, None),
    ("Cronos", "CRO", 0.098, 38_200.0, 100_000.0), ("Polkadot", "DOT", 1.93, 1_640.0, 2_100.0),
    ("Uniswap", "UNI", 5.83, 630.0, 1_000.0), ("Mantle", "MNT", 0.98, 3_250.0, 6_219.3),
    ("Aave", "AAVE", 162.0, 15.2, 16.0), ("NEAR Protocol", "NEAR", 1.64, 1_280.0, None),
    ("Bittensor", "TAO", 231.0, 10.5, 21.0), ("Ethereum Classic", "ETC", 12.2, 154.8, 210.7),
    ("Internet Computer", "ICP", 3.04, 546.0, None), ("Aptos", "APT", 1.75, 748.0, None),
    ("OKB", "OKB", 109.0, 21.0, 21.0), ("Pepe", "PEPE", 4.2e-6, 4.2e8, 4.2e8),
    ("Ondo", "ONDO", 0.39, 3_160.0, 10_000.0), ("Algorand", "ALGO", 0.117, 8_830.0, 10_000.0),
    ("Cosmos", "ATOM", 2.04, 483.0, None), ("Filecoin", "FIL", 1.34, 724.0, 1_960.0),
    ("VeChain", "VET", 0.0105, 85_985.0, 86_712.6), ("Arbitrum", "ARB", 0.191, 5_700.0, None),
    ("Kaspa", "KAS", 0.0445, 26_900.0, 28_704.0), ("Sei", "SEI", 0.112, 6_500.0, 10_000.0),
    ("Tezos", "XTZ", 0.43, 1_066.0, None), ("Optimism", "OP", 0.272, 1_940.0, 4_294.9),
    ("The Graph", "GRT", 0.0379, 10_650.0, None), ("Maker", "MKR", 1_490.0, 0.86, 1.0),
    ("PAX Gold", "PAXG", 4_330.0, 0.37, None), ("Decentraland", "MANA", 0.117, 1_920.0, None),
    ("Lido DAO", "LDO", 0.55, 895.0, 1_000.0), ("UNICORN Token", "UNI", 4.1e-4, 900.0, None),
)  # fmt: skip
"""Name, symbol, price in USD, supply and greatest supply in millions; two are called UNI."""

PERIODS = ("15m", "30m", "1h", "6h", "12h", "24h", "7d", "30d", "1y")
STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def sample_tickers(seed: int) -> list[Record]:
    """Return one ticker for each coin, the largest first; a seed always gives the same prices."""
    chance = random.Random(seed)  # noqa: S311 - sample prices, not secrets
    ranked = sorted(COINS, key=lambda coin: -coin[2] * coin[3])
    return [_ticker(rank, coin, chance) for rank, coin in enumerate(ranked, 1)]


def revised(ticker: Record, generation: int) -> Record:
    """Return the ticker `generation` minutes later, its price up to 5 % higher or lower."""
    quotes = ticker.get("quotes")
    quote = quotes.get("USD") if isinstance(quotes, dict) else None
    price = quote.get("price") if isinstance(quote, dict) else None
    if not isinstance(price, int | float):
        return ticker
    chance = random.Random(f"{ticker.get('id')} {generation}")  # noqa: S311 - as above
    moved = {"price": _rounded(price * chance.uniform(0.95, 1.05))}
    return {
        **ticker,
        "last_updated": _format_time(STARTED_AT + timedelta(minutes=generation)),
        "quotes": {**ticker["quotes"], "USD": {**ticker["quotes"]["USD"], **moved}},
    }


def _ticker(rank: int, coin: Coin, chance: random.Random) -> Record:
    name, symbol, usual_price, supply, most = coin
    price = _rounded(usual_price * chance.uniform(0.97, 1.03))
    return {
        "id": f"{symbol}-{name}".lower().replace(" ", "-"),
        "name": name,
        "symbol": symbol,
        "rank": rank,
        "total_supply": round(supply * 1e6),
        "max_supply": round(most * 1e6) if most else 0,
        "beta_value": round(chance.uniform(0, 2), 5),
        "first_data_at": _format_time(STARTED_AT - timedelta(days=chance.randrange(700, 5000))),
        "last_updated": _format_time(STARTED_AT),
        "quotes": {"USD": _quote(price, price * supply * 1e6, chance)},
    }


def _quote(price: float, market_cap: float, chance: random.Random) -> Record:
    high = chance.uniform(1.0, 8.0)
    return {
        "price": price,
        "volume_24h": round(market_cap * chance.uniform(0.005, 0.2), 2),
        "volume_24h_change_24h": round(chance.uniform(-40, 40), 2),
        "market_cap": round(market_cap),
        "market_cap_change_24h": round(chance.uniform(-6, 6), 2),
        **{f"percent_change_{period}": round(chance.uniform(-6, 6), 2) for period in PERIODS},
        "ath_price": _rounded(price * high),
        "ath_date": _format_time(STARTED_AT - timedelta(days=chance.randrange(30, 690))),
        "percent_from_price_ath": round((1 / high - 1) * 100, 2),
    }


def _rounded(price: float) -> float:
    return float(f"{price:.8g}")


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
