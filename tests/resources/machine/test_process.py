import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infraaudit_domain.errors import ToolError, ToolMissingError, ToolTimeoutError
from resources.machine.process import run


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    return not _alive(pid)


def test_output_streams_and_exit_code_come_back() -> None:
    lines: list[str] = []
    script = "import sys; print('out'); print('err', file=sys.stderr); print(sys.stdin.read()); sys.exit(3)"
    done = run([sys.executable, "-c", script], timeout=20, stdin=b"hello", on_line=lines.append, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\nhello\n", b"err\n")
    assert sorted(lines) == ["err", "hello", "out"]


def test_a_failure_says_what_the_program_said() -> None:
    with pytest.raises(ToolError, match="exit code 2: .*no such"):
        run(
            [
                sys.executable,
                "-c",
                "import sys; sys.exit('no such') if 0 else (sys.stderr.write('no such'), sys.exit(2))",
            ],
            timeout=20,
        )


def test_a_missing_program_and_folder_are_distinguished(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="no-such-program is not installed"):
        run(["no-such-program"], timeout=1)
    with pytest.raises(ToolError, match="no such folder"):
        run(["true"], timeout=1, cwd=tmp_path / "gone")


def test_at_the_limit_the_whole_group_dies(tmp_path: Path) -> None:
    with pytest.raises(ToolTimeoutError, match="within 1 s"):
        run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], timeout=1)
    assert _gone_within(int((tmp_path / "pid").read_text()), 5)


def test_endless_output_neither_blocks_nor_fills_memory() -> None:
    done = run([sys.executable, "-c", "import sys; sys.stdout.write('x' * 3_000_000)"], timeout=20, max_output=1000)
    assert len(done.stdout) == 1000 and done.truncated


def test_output_is_complete_however_slow_the_listener_is() -> None:
    heard: list[str] = []

    def slow(line: str) -> None:
        time.sleep(0.03)
        heard.append(line)

    script = (
        "import sys\nfor n in range(45): print('layer', n); print('layer', n, file=sys.stderr)\nprint('no end', end='')"
    )
    done = run([sys.executable, "-c", script], timeout=20, on_line=slow)
    assert done.text.splitlines() == [*(f"layer {number}" for number in range(45)), "no end"]
    assert done.stderr.count(b"\n") == 45 and not done.truncated
    assert len(heard) == 91 and heard.count("layer 44") == 2 and "no end" in heard


def test_a_listener_that_fails_loses_no_output() -> None:
    def deaf(line: str) -> None:
        raise RuntimeError("no room for a line")

    done = run([sys.executable, "-c", "for n in range(50_000): print('layer', n)"], timeout=20, on_line=deaf)
    assert done.text.splitlines()[-1] == "layer 49999"


def test_a_slow_listener_delays_no_program() -> None:
    began = time.monotonic()
    ended: list[float] = []

    def slow(line: str) -> None:
        if not ended:
            time.sleep(1)
            ended.append(time.monotonic() - began)

    assert run(["seq", "30000"], timeout=0.9, on_line=slow).returncode == 0
    assert ended[0] >= 1


def test_a_descendant_that_holds_or_fills_the_pipe_does_not_hold_us() -> None:
    heard: list[str] = []
    began = time.monotonic()
    done = run(["sh", "-c", "echo said; setsid sleep 30 & exit 0"], timeout=20, on_line=heard.append)
    assert (done.text, heard) == ("said\n", ["said"]) and time.monotonic() - began < 10


def test_a_child_dies_when_we_are_killed(tmp_path: Path) -> None:
    script = f"from resources.machine.process import run; run(['sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 60'], timeout=60)"
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=Path.cwd(), env=os.environ)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert _gone_within(int((tmp_path / "pid").read_text()), 5)


def test_a_process_with_grpc_threads_starts_programs() -> None:
    # Dagster's code server is one: a child that forked with gRPC's handlers sometimes crashed there.
    script = """
import concurrent.futures, grpc, threading
from resources.machine.process import run
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
def call():
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    while not done.is_set():
        try:
            channel.unary_unary("/x/y")(b"", timeout=1)
        except grpc.RpcError:
            pass
done = threading.Event()
callers = [threading.Thread(target=call) for _ in range(2)]
[caller.start() for caller in callers]
codes = [run(["true"], timeout=20, check=False).returncode for _ in range(100)]
done.set()
print(set(codes))
"""
    environment = os.environ | {"GRPC_ENABLE_FORK_SUPPORT": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "{0}", done.stderr[-2000:]
