"""What an error says, for tests of messages."""

import pytest


def said(kind, call, *arguments, **named):
    """Return the message of the error of one kind that a call must raise."""
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    return str(caught.value)
