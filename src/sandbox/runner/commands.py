# Commands, and how they start.

nonce = os.urandom(8).hex()
base_env = {**os.environb}
commands, by_pid = {}, {}


class Command:
    def __init__(self, id, flags, time_limit, silence_limit, keep):
        now = time.monotonic()
        self.id, self.flags, self.keep, self.began = id, flags, keep, now
        self.deadline = now + time_limit / 1000 if time_limit else None
        self.patience = silence_limit / 1000 if silence_limit else None
        self.heard, self.limit = now, 0
        self.slain, self.status, self.ended, self.pid = False, None, None, 0
        self.total, self.room, self.tail = 0, keep, bytearray()
        self.previewed = 0.0
        self.out, self.err, self.input_fd, self.input, self.wanted = None, None, None, bytearray(), 0
        self.input_closed = not flags & HAS_INPUT


def items(body, at):
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 4 : at + 4 + length]
        at += 4 + length


def start(id, body):
    flags, time_limit, silence_limit, keep, argc = struct.unpack_from(">BIIII", body)
    words = list(items(body, 17))
    command = Command(id, flags, time_limit, silence_limit, keep)
    try:
        spawn(command, words[:argc], words[argc:])
    except OSError as error:
        text = words[0] + b": " + os.strerror(error.errno).encode()
        code = 127 if error.errno == errno.ENOENT else 126
        frame(ENDED, id, struct.pack(">BBBBIQ", NOT_STARTED, code, 0, tree_changed(), 0, len(text)) + text)


def spawn(command, argv, pairs):
    env = {**base_env, **dict(zip(pairs[::2], pairs[1::2]))}
    env[b"ERRAND_COMMAND"] = f"{nonce}-{command.id}".encode()
    ours, theirs = [], []

    def pipe(mine, other):
        ends = os.pipe()
        ours.append(ends[mine])
        theirs.append(ends[other])
        os.set_blocking(ends[mine], False)
        return ends[mine]

    try:
        if command.input_closed:
            theirs.append(os.open("/dev/null", os.O_RDONLY))
        else:
            command.input_fd = pipe(1, 0)
        command.out = pipe(0, 1)
        if command.flags & PIPE:
            command.err = pipe(0, 1)
        actions = [(os.POSIX_SPAWN_DUP2, theirs[min(n, len(theirs) - 1)], n) for n in range(3)]
        defaults = [signal.SIGPIPE, signal.SIGXFSZ]
        command.pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=defaults)
    except OSError:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    spare_runner(command.pid)
    commands[command.id] = by_pid[command.pid] = command
    if not stalled:
        listen(command)


def spare_runner(pid):
    """Short of memory, the kernel shall take a command and not process 1."""
    try:
        fd = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"500")
        os.close(fd)
    except OSError:
        pass  # already gone
