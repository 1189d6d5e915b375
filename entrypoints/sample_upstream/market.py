"""What the sample upstream serves of coins: the tickers, at their first prices or revised."""

from entrypoints.sample_upstream.coins import revised, sample_tickers
from entrypoints.sample_upstream.documents import Document, Record, encode


class Market:
    """A list of tickers, encoded once for each revision."""

    def __init__(self, seed: int) -> None:
        self.replace(sample_tickers(seed))

    def replace(self, tickers: list[Record]) -> None:
        """List these tickers, as they are."""
        self._listed = tickers
        self._show(tickers)

    def revise(self, generation: int) -> None:
        """Move every price away from what was listed; a generation always gives the same."""
        self._show([revised(ticker, generation) for ticker in self._listed])

    def _show(self, tickers: list[Record]) -> None:
        self.tickers = tickers
        self.document = Document(encode(tickers))
