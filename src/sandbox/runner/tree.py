# Whether anything in the work tree may have changed, from what inotify tells of its directories. Git's own directories are
# not watched. In doubt the answer is yes: before the watch, after an overflow, or when there is too much to be watched.
IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF, IN_Q_OVERFLOW = 0x100, 0x200, 0x400, 0x800, 0x4000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_ISDIR = 0x1000000, 0x2000000, 0x40000000
WATCHED = (
    IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
)
MOST_DIRECTORIES, MOST_ENTRIES = 4096, 200_000
NEWS_SIZE = 64 << 10

tree_root, news_fd = None, None


def watch_tree(_, body):
    """Begins to watch, or goes on: what is there now is seen by whoever looks at the tree after this."""
    global tree_root, news_fd
    tree_root = bytes(body)
    if news_fd is None:
        fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        news_fd = fd if fd >= 0 else None
    if news_fd is not None:
        watch_directories()


def watch_directories():
    global news_fd
    waiting, directories, entries = [tree_root], 0, 0
    while waiting:
        path = waiting.pop()
        directories += 1
        added = libc.inotify_add_watch(news_fd, path, WATCHED | IN_ONLYDIR | IN_DONT_FOLLOW)
        try:
            # One that has gone meanwhile is told by the one above it.
            if added < 0 and os.path.isdir(path):
                raise OSError
            with os.scandir(path) as found:
                for entry in found:
                    entries += 1
                    if entry.name != b".git" and entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
            too_much = directories + len(waiting) > MOST_DIRECTORIES or entries > MOST_ENTRIES
        except FileNotFoundError:
            continue
        except OSError:
            too_much = True
        if too_much:
            os.close(news_fd)
            news_fd = None
            return


def tree_changed():
    """True when something may have changed since this was last asked."""
    changed, grown = news_fd is None, False
    while news_fd is not None:
        news = read(news_fd, NEWS_SIZE)
        if news is None:
            break
        changed, at = True, 0
        while at < len(news):
            _, mask, _, length = struct.unpack_from("iIII", news, at)
            at += 16 + length
            grown = grown or mask & IN_Q_OVERFLOW or (mask & IN_ISDIR and mask & (IN_CREATE | IN_MOVED_TO))
    if grown:
        watch_directories()
    return changed
