"""The version of this package; CHANGELOG.md says what changed. Requests carry it in their User-Agent."""

__version__ = "0.4.0"

USER_AGENT = "nimbus-python/" + __version__
