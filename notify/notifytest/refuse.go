package notifytest

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// RefusingAddress is an address on loopback that refuses connections for as
// long as the test runs: a socket that is bound to its port and does not
// listen, so that no other program can get the port meanwhile.
func RefusingAddress(t testing.TB) string {
	t.Helper()
	syscall.ForkLock.RLock() // no child gets the socket: macOS has no SOCK_CLOEXEC
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(os.NewSyscallError("socket", err))
	}
	t.Cleanup(func() { _ = syscall.Close(fd) }) // the test is over
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(os.NewSyscallError("bind", err))
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(os.NewSyscallError("getsockname", err))
	}
	in, ok := bound.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("bound to %T", bound)
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(in.Port))
}
