"""How the Bitbucket forges are given a token: alone, or with the user whose it is."""

import base64


def authorization(token: str) -> str:
    """The Authorization header of ``token``, or of ``user:token``."""
    if ":" not in token:
        return f"Bearer {token}"
    return f"Basic {base64.b64encode(token.encode()).decode()}"
