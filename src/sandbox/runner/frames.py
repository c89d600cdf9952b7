# The sandbox's own end: the container's main process. It runs commands and reads and writes files for the server, over
# frames on its standard input and output (frames.ts has their shapes). Python 3, standard library only. The files of
# this directory are one program, put together by runnerText.ts.
#
# As process 1 it can't be killed from inside, not even by SIGKILL; not being dumpable, it can't be traced and its
# descriptors can't be opened by commands of the same user, so that no command can forge a frame. Whatever a command
# orphans becomes a child of process 1, and `kill(-1)` reaches everything at once: nothing outlives its command.
import ctypes, errno, os, select, stat, struct, sys, time
import _signal as signal  # without the enumerations around it, which take longer to load than all the rest

START, INPUT, KILL, CREDIT, READ, WRITE, PING, WATCH, BUDGET, TELL = range(1, 11)
READY, OUTPUT, PREVIEW, ENDED, WANT, CONTENT, DONE, REFUSED, PONG, EXCEEDED, EDITS = range(0x81, 0x8C)
PIPE, HAS_INPUT, PREVIEWS = 1, 2, 4
EXITED, SIGNALLED, NOT_STARTED = range(3)

MAX_FRAME = 9 << 20
READ_SIZE = 64 << 10
QUEUE_HIGH = 256 << 10  # bytes that wait for the server: above it no output is read, and commands wait with theirs
COALESCE = 0.002  # seconds that output waits for company, or for the end of its command
DRAIN = 0.05  # seconds that what a command left behind may go on writing
KILL_TIME = 2.0  # seconds after which something that can't be killed takes the container with it
PREVIEW_EVERY, PREVIEW_SIZE = 0.1, 4096
ERROR_TAIL = 4096
NO_MORE = 0xFFFFFFFF
PR_SET_DUMPABLE, PR_GET_DUMPABLE = 4, 3

queue, queued, flush_at = [], 0, None
blocked, stalled = False, False
epoll = select.epoll()
by_fd = {}


def frame(type, id, body=b"", delay=0.0):
    global queued, flush_at
    queue.append(struct.pack(">IBI", 5 + len(body), type, id) + body)
    queued += len(body) + 9
    at = time.monotonic() + delay if delay else 0.0
    flush_at = at if flush_at is None else min(flush_at, at)


def flush():
    global queued, flush_at, blocked
    try:
        while queue:
            written = os.writev(1, queue[:64])
            queued -= written
            sent = 0
            while sent < len(queue) and written >= len(queue[sent]):
                written -= len(queue[sent])
                sent += 1
            del queue[:sent]
            if written:
                queue[0] = memoryview(queue[0])[written:]
        flush_at = None
    except BlockingIOError:
        pass
    if blocked != bool(queue):
        blocked = not blocked
        (epoll.register if blocked else epoll.unregister)(*((1, select.EPOLLOUT) if blocked else (1,)))


def watch(fd, command, act, events=select.EPOLLIN):
    by_fd[fd] = (command, act)
    epoll.register(fd, events)


def unwatch(fd):
    if by_fd.pop(fd, None):
        epoll.unregister(fd)


def close(fd):
    unwatch(fd)
    os.close(fd)
