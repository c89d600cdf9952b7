# The end of a command, and of all that it started.


def reap():
    """True while there are children."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not pid:
            return True
        command = by_pid.pop(pid, None)
        if command:
            command.status, command.ended = status, time.monotonic()
        else:
            lose_shell(pid)


def settle(command, now):
    """Ends a command whose program has ended, once its output has ended too or has had its time."""
    if command.status is None:
        return
    open_ends = command.out is not None or command.err is not None
    if open_ends and not command.slain and now < command.ended + DRAIN:
        return
    if not command.slain:
        slay(command)
    # Nobody writes any more: what can't be read now will never come.
    while command.err is not None:
        take_error(command)
    while command.out is not None and (command.room > 0 or not command.flags & PIPE):
        take(command)
    if command.out is None:
        finish(command)


def finish(command):
    if command.input_fd is not None:
        close(command.input_fd)
        command.input_fd = None
    del commands[command.id]
    how, value = (SIGNALLED, os.WTERMSIG(command.status)) if os.WIFSIGNALED(command.status) else (EXITED, os.WEXITSTATUS(command.status))
    limit = ERROR_TAIL if command.flags & PIPE else command.keep
    tail = bytes(command.tail[-limit:]) if limit else b""
    ms = int(1000 * (command.ended - command.began))
    frame(ENDED, command.id, struct.pack(">BBBBIQ", how, value, command.limit, tree_changed(), ms, command.total) + tail)


def slay(command):
    """Kills a command and all it started, and returns when that is gone."""
    command.slain = True
    until = time.monotonic() + KILL_TIME
    if all(other.slain for other in commands.values()):
        killed = kill(signal.SIGKILL, -1)
        while killed and reap():
            pause(until)
        return
    while True:
        reap()
        if command.status is not None and not left_behind(command):
            return
        pids = members(command)
        if not pids and command.status is not None:
            return
        # Stopped first, so that a storm of forks can't outrun the kills.
        for pid in pids:
            kill(signal.SIGSTOP, pid)
        for pid in pids:
            kill(signal.SIGKILL, pid)
        pause(until)


def pause(until):
    if time.monotonic() > until:
        os._exit(70)
    time.sleep(0.0005)


def kill(number, pid):
    try:
        os.kill(pid, number)
        return True
    except OSError:
        return False


def left_behind(command):
    """The cheap question before all processes are looked at: is anybody in the group, have orphans come to us?"""
    if kill(0, -command.pid):
        return True
    try:
        with open("/proc/self/task/1/children", "rb", 0) as file:
            return any(int(pid) not in by_pid for pid in file.read().split())
    except OSError:
        return True


def members(command):
    """Its session, what carries its mark in the environment, and the descendants of these."""
    mark = b"ERRAND_COMMAND=" + command.mark
    parents, found = {}, set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        pid = int(name)
        try:
            with open(f"/proc/{pid}/stat", "rb", 0) as file:
                state, parent, _, session = file.read(1024).rpartition(b") ")[2].split()[:4]
            if state in b"ZX":
                continue
            parents[pid] = int(parent)
            if int(session) == command.pid:
                found.add(pid)
            elif pid not in by_pid:
                with open(f"/proc/{pid}/environ", "rb", 0) as file:
                    if mark in file.read(256 << 10).split(b"\0"):
                        found.add(pid)
        except OSError:
            pass  # gone, or not ours to see
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return found


def kill_command(id, _):
    command = commands.get(id)
    if not command:
        return
    slay(command)
    # Nobody will take the rest of its output, nor give credit for it.
    for fd in (command.out, command.err):
        if fd is not None:
            close(fd)
    command.out = command.err = None
