"""A console of Windows that is closed, Ctrl-C and Ctrl-Break there, by a stand-in for the system's calls."""

import os
import signal
import threading
import time

import pytest

from sonic_nodes import interrupts
from sonic_nodes.commands import cli


class Console:
    """SetConsoleCtrlHandler as Windows has it: the handler that came last is asked first."""

    def __init__(self):
        self.handlers = []

    HANDLER = staticmethod(lambda function: function)

    def SetConsoleCtrlHandler(self, handler, add):  # noqa: N802 (Windows' name)
        self.handlers.append(handler) if add else self.handlers.remove(handler)

    def send(self, event):
        """In a thread of the system's. Windows ends the process when it returns True: then `ended` is set."""
        ended = threading.Event()
        ended.result = None

        def call():
            ended.result = self.handlers[-1](event)
            ended.set()

        threading.Thread(target=call, daemon=True).start()
        return ended


@pytest.fixture
def console(monkeypatch):
    found = Console()
    monkeypatch.setattr(interrupts, "_console", lambda: found)
    return found


@pytest.mark.parametrize("event", interrupts.CLOSING_EVENTS)
def test_a_console_that_is_closed_stops_the_command_and_waits_until_it_has_cleared_up(console, event):
    order, ended = [], None
    with pytest.raises(interrupts.Stopped), interrupts.stop_signals(lambda: order.append("cleared up late")):
        interrupts.accept()
        try:
            with interrupts.deferred():
                ended = console.send(event)
            while True:
                time.sleep(0.01)
        finally:
            time.sleep(0.1)
            assert not ended.is_set()
            order.append("cleared up")
    assert ended.wait(2) and ended.result and order == ["cleared up"] and not console.handlers


def test_a_command_that_does_not_stop_is_cleared_up_by_the_handler(console, monkeypatch):
    monkeypatch.setattr(interrupts, "CLOSING_S", 0.1)
    order = []
    with pytest.raises(interrupts.Stopped), interrupts.stop_signals(lambda: order.append("cleared up late")):
        interrupts.accept()
        with interrupts.deferred():
            assert console.send(2).wait(2)
    assert order == ["cleared up late"]


def test_ctrl_c_and_ctrl_break_are_the_signals_of_the_c_runtime(console):
    with interrupts.stop_signals(lambda: None):
        interrupts.accept()
        for event in (0, 1):
            ended = console.send(event)
            assert ended.wait(2) and not ended.result
    assert interrupts.received() is None


def test_the_exit_codes_of_windows():
    assert interrupts.Stopped(21).exit_code == 149  # SIGBREAK
    assert "149 by Ctrl-Break" in cli.__doc__.replace("\n", " ")


@pytest.mark.skipif(os.name != "nt", reason="Windows' own function")
def test_the_console_functions_of_windows_are_found():
    found = interrupts._console()
    handler = found.HANDLER(lambda event: 0)
    assert found.SetConsoleCtrlHandler(handler, True) and found.SetConsoleCtrlHandler(handler, False)


def test_stop_signals_are_those_that_the_system_has():
    names = {signal.Signals(number).name for number in interrupts.STOP_SIGNALS}
    assert names == ({"SIGINT", "SIGTERM", "SIGBREAK"} if os.name == "nt" else {"SIGINT", "SIGTERM", "SIGHUP"})
