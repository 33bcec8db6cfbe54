"""Who may do what: a control token changes runs, a viewer token reads them.

A viewer is let in by our own handlers, so that it works the same beside JupyterLab, where the token
opens nothing but this interface: no kernel, no terminal, no file.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from typing import Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler

RESOURCE = "lablib"
_PREFIX = "viewer-"


@dataclass
class Viewer(User):
    """Somebody who looks and changes nothing."""


def new_viewer() -> Viewer:
    """A viewer without a name."""
    return Viewer(f"{_PREFIX}{uuid.uuid4().hex}", "Viewer", "Viewer", "V", None, None)


def holds(token: str | None, expected: str) -> bool:
    """Whether a token is the expected one; an empty one never is."""
    return bool(token and expected) and hmac.compare_digest(str(token).encode(), expected.encode())


def token_of(handler: JupyterHandler) -> str:
    """The token that came with a request, in its address or its Authorization header."""
    return str(IdentityProvider.get_token(handler.identity_provider, handler) or "")


class Roles:
    """May this user do this to our runs? Asks the server's own authorizer as well."""

    def __init__(self, server: Authorizer) -> None:
        self._server = server

    def is_authorized(self, handler: JupyterHandler, user: Any, action: str, resource: str) -> Any:
        """Viewers read; everybody else is whatever the server says."""
        if isinstance(user, Viewer):
            return resource == RESOURCE and action == "read"
        return self._server.is_authorized(handler, user, action, resource)


class TwoTokens(PasswordIdentityProvider):
    """Voilà's login, with a second token for viewers; the cookie remembers which it was.

    Without a registry of users a name is all that a signed cookie carries; nobody but us makes names.
    """

    viewer_token = ""

    async def get_user_token(self, handler: Any) -> User | None:
        """The user a token stands for."""
        given = token_of(handler)
        known: Any = self.get_user_cookie(handler)
        if holds(given, self.viewer_token):
            return known if isinstance(known, Viewer) else new_viewer()
        if not holds(given, self.token):
            return None
        is_control = isinstance(known, User) and not isinstance(known, Viewer)
        return known if is_control else self.generate_anonymous_user(handler)

    def process_login_form(self, handler: Any) -> User | None:
        """The user who typed a token; passwords are neither known nor set here."""
        typed = handler.get_argument("password", default="")
        if holds(typed, self.viewer_token):
            return new_viewer()
        return self.generate_anonymous_user(handler) if holds(typed, self.token) else None

    def user_from_cookie(self, cookie_value: str) -> User | None:
        """The user a signed cookie names."""
        user = super().user_from_cookie(cookie_value)
        if user is None or not user.username.startswith(_PREFIX):
            return user
        return Viewer(user.username, "Viewer", "Viewer", "V", None, None)
