"""google.colab.userdata: the vault for secrets; outside Colab's own page it answers by a timeout."""


class SecretNotFoundError(Exception):
    pass


class NotebookAccessError(Exception):
    pass


class TimeoutException(Exception):
    pass


def get(key):
    raise TimeoutException(
        f"Requesting secret {key} timed out. Secrets can only be fetched when running from the Colab UI."
    )
