"""The circuits' processes, seen from the run: ask, wait, and give up on one that fails or hangs."""

import multiprocessing

from benchmarks.on_gpu.worker import serve

__all__ = ["Failure", "Process"]


class Failure(Exception):
    """What a circuit's process could not do, and why."""


class Process:
    """One circuit's process."""

    def __init__(self, name, rehearse):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, rehearse), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, method, *arguments):
        """Begin a request, whose answer `receive` waits for."""
        if not self._process.is_alive():
            raise Failure("its process has ended")
        self._connection.send((method, arguments))

    def receive(self, seconds):
        """Answer of the last request.  A process that takes longer is ended."""
        try:
            if not self._connection.poll(seconds):
                self._process.kill()
                raise Failure(f"no answer in {seconds:.0f} s: its process was ended")
            outcome, answer = self._connection.recv()
        except EOFError as error:
            raise Failure("its process broke down") from error
        if outcome == "failed":
            raise Failure(answer)
        return answer

    def ask(self, seconds, method, *arguments):
        """`send` and `receive`."""
        self.send(method, *arguments)
        return self.receive(seconds)

    def end(self):
        """End the process, politely at first."""
        if self._process.is_alive():
            self._connection.send(None)
            self._process.join(5)
        self._process.kill()
        self._process.join()
