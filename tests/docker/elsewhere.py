"""elsewhere.py COMMAND...: runs a docker engine in a network of its own, joined to this machine only as Docker Desktop joins
its virtual machine: a port published there on 127.0.0.1 opens here on 127.0.0.1, and what a container sends to its gateway
arrives here on 127.0.0.1. With --no-way-back the second is missing, as with a rootless engine. Needs root, Linux, iptables."""
import ctypes, fcntl, os, signal, socket, struct, subprocess, sys, threading, time

CLONE_NEWNET = 0x40000000
SO_ORIGINAL_DST = 80
WAY_BACK = 19
libc = ctypes.CDLL(None, use_errno=True)


def succeed(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter(namespace):
    """Sockets that this thread makes from now on belong to that network."""
    succeed(libc.setns(namespace, CLONE_NEWNET))


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # a mere close would wait for the other direction, which waits for this one
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def join(accepted, namespace, port):
    def run():
        enter(namespace)
        try:
            other = socket.create_connection(('127.0.0.1', port), 2)
            other.settimeout(None)
        except OSError:
            accepted.close()
            return
        threading.Thread(target=pump, args=(other, accepted), daemon=True).start()
        pump(accepted, other)
    threading.Thread(target=run, daemon=True).start()


def accept_from(server, namespace, port_of):
    while True:
        try:
            accepted, _ = server.accept()
        except OSError:
            return
        join(accepted, namespace, port_of(accepted))


def listener(address, port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(64)
    return server


def published(inside):
    """Ports that docker's proxies hold at 127.0.0.1 in the engine's network; what else listens there stays there."""
    ports = set()
    for process in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{process}/cmdline') as line:
                words = line.read().split('\0')
            if not words[0].endswith('docker-proxy') or os.stat(f'/proc/{process}/ns/net').st_ino != os.fstat(inside).st_ino:
                continue
        except OSError:
            continue
        options = dict(zip(words[1::2], words[2::2]))
        if options.get('-host-ip') == '127.0.0.1':
            ports.add(int(options['-host-port']))
    return ports


def mirror(inside):
    open_here = {}
    while True:
        there = published(inside)
        for port in there - open_here.keys():
            try:
                open_here[port] = listener('127.0.0.1', port)
            except OSError:
                continue
            threading.Thread(target=accept_from, args=(open_here[port], inside, lambda _, port=port: port), daemon=True).start()
        for port in open_here.keys() - there:
            server = open_here.pop(port)
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        time.sleep(0.02)


def way_back(inside, outside):
    def original_port(accepted):
        return struct.unpack('!HH', accepted.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)[:4])[1]

    def run():
        enter(inside)
        accept_from(listener('0.0.0.0', WAY_BACK), outside, original_port)
    threading.Thread(target=run, daemon=True).start()
    redirect = ['-p', 'tcp', '-m', 'addrtype', '--dst-type', 'LOCAL', '-i', 'docker0', '-j', 'REDIRECT', '--to-ports', str(WAY_BACK)]
    subprocess.run(['iptables', '-t', 'nat', '-I', 'PREROUTING', *redirect], check=True, preexec_fn=lambda: enter(inside))


def in_own_network():
    succeed(libc.unshare(CLONE_NEWNET))
    with socket.socket() as control:
        fcntl.ioctl(control, 0x8914, struct.pack('16sH14x', b'lo', 0x1))


def main():
    command = sys.argv[1:]
    has_way_back = command[0] != '--no-way-back'
    outside = os.open('/proc/self/ns/net', os.O_RDONLY)
    engine = subprocess.Popen(command if has_way_back else command[1:], preexec_fn=in_own_network)
    signal.signal(signal.SIGTERM, lambda *_: engine.terminate())
    inside = os.open(f'/proc/{engine.pid}/ns/net', os.O_RDONLY)
    if has_way_back:
        way_back(inside, outside)
    threading.Thread(target=mirror, args=(inside,), daemon=True).start()
    sys.exit(engine.wait())


main()
