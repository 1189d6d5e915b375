"""The tickers of the sample upstream, at their first prices or revised."""

from entrypoints.sample_upstream.coins import revised, sample_tickers
from entrypoints.sample_upstream.documents import Document, Record, encode


class Market:
    """A list of tickers, encoded once for each revision."""

    def __init__(self, seed: int) -> None:
        self.replace(sample_tickers(seed))

    def replace(self, tickers: list[Record]) -> None:
        """Serve exactly these tickers."""
        self._listed = tickers
        self._show(tickers)

    def revise(self, generation: int) -> None:
        """Change every price from the listed one; a generation always gives the same prices."""
        self._show([revised(ticker, generation) for ticker in self._listed])

    def _show(self, tickers: list[Record]) -> None:
        self.tickers = tickers
        self.document = Document(encode(tickers))
