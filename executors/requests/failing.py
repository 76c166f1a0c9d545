"""How a request ends that did not succeed."""


class Failed(Exception):
    """The request did not succeed; the text is a sentence for people, without secrets."""
