# Files: regular ones only, replaced at once.


def refuse(id, error):
    frame(REFUSED, id, errno.errorcode.get(error.errno, "unknown").encode())


def require_file(info):
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EISDIR if stat.S_ISDIR(info.st_mode) else errno.ENXIO, "not a regular file")


def read_file(id, body):
    offset, limit = struct.unpack_from(">QI", body)
    try:
        # Opening a named pipe would wait for who writes to it.
        fd = os.open(body[12:], os.O_RDONLY | os.O_NONBLOCK)
        try:
            info = os.fstat(fd)
            require_file(info)
            parts, at = [], offset
            while at < offset + limit:
                data = os.pread(fd, offset + limit - at, at)
                if not data:
                    break
                parts.append(data)
                at += len(data)
        finally:
            os.close(fd)
        # Files of /proc have no size.
        frame(CONTENT, id, struct.pack(">Q", max(info.st_size, at)) + b"".join(parts))
    except OSError as error:
        refuse(id, error)


def write_file(id, body):
    path, data = items(body, 0)
    try:
        for _ in range(40):
            if not os.path.islink(path):
                break
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        directory = os.path.dirname(path) or b"."
        try:
            former = os.stat(path)
            require_file(former)
        except FileNotFoundError:
            former = None
            os.makedirs(directory, exist_ok=True)
        replace(path, os.path.join(directory, f".{nonce}-{id}".encode()), data, former)
        tree_changed()  # told by the answer itself
        frame(DONE, id)
    except OSError as error:
        refuse(id, error)


def replace(path, draft, data, former):
    """Others see the old file or the new one."""
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            if former:
                os.fchmod(fd, stat.S_IMODE(former.st_mode))
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)
        os.rename(draft, path)
    except OSError:
        os.unlink(draft)
        raise
