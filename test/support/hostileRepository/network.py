# Tries every way out that does not lead through the proxy; says "reached" for each that works.
import errno, json, os, socket, subprocess

targets = json.load(open("attack/targets.json"))


def attempt(name, action):
    try:
        action()
        print("reached", name, flush=True)
    except BaseException as error:
        print("refused", name, type(error).__name__, error, flush=True)


def tcp(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect((host, port))


def udp(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(2)
        one.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01", (host, port))
        one.recvfrom(512)


def unix(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect(path)


def abstract(name):
    unix("\0" + name)


def raw(kind, protocol):
    socket.socket(kind, socket.SOCK_RAW, protocol).close()


for host, port in targets["tcp"]:
    attempt(f"{host}:{port}", lambda: tcp(host, port))
for host in ["8.8.8.8", "127.0.0.11", "172.17.0.1", "169.254.169.254"]:
    attempt(f"dns {host}", lambda: udp(host, 53))
for name in ["example.com", "metadata.google.internal", "host.docker.internal", "localhost.localdomain.example"]:
    attempt(f"name {name}", lambda: socket.getaddrinfo(name, 443))
for path in ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", *targets["unix"]]:
    attempt(f"socket {path}", lambda: unix(path))
for name in ["/containerd-shim", "docker", "/tmp/.X11-unix/X0"]:
    attempt(f"abstract {name}", lambda: abstract(name))
attempt("raw packets", lambda: raw(socket.AF_PACKET, 3))
attempt("ping", lambda: raw(socket.AF_INET, 1))
attempt("the virtual machine's host", lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 1234)))
attempt("a new network", lambda: subprocess.check_output(["unshare", "-rn", "true"], stderr=subprocess.STDOUT))
attempt("an interface", lambda: subprocess.check_output("ip link add x type dummy || ifconfig eth0 up", shell=True, stderr=subprocess.STDOUT))
print("interfaces", sorted(os.listdir("/sys/class/net")))
