package errno

import "syscall"

// The kinds of errors. The constants that package syscall names as on other systems are
// invented numbers that no system call returns. The numbers without a name in package
// syscall are from winsock2.h (WSA…) and winerror.h.
var (
	Refused = Kind{
		syscall.ECONNREFUSED,
		syscall.Errno(10061), // WSAECONNREFUSED
		syscall.Errno(1225),  // ERROR_CONNECTION_REFUSED
	}
	Reset = Kind{
		syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.WSAECONNRESET, syscall.WSAECONNABORTED, syscall.ERROR_NETNAME_DELETED,
		syscall.Errno(10052), // WSAENETRESET
		syscall.Errno(1236),  // ERROR_CONNECTION_ABORTED
	}
	BrokenPipe = Kind{
		syscall.EPIPE, syscall.ERROR_BROKEN_PIPE,
		syscall.Errno(10058), // WSAESHUTDOWN
	}
	Unreachable = Kind{
		syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.Errno(10051), // WSAENETUNREACH
		syscall.Errno(10065), // WSAEHOSTUNREACH
		syscall.Errno(1231),  // ERROR_NETWORK_UNREACHABLE
		syscall.Errno(1232),  // ERROR_HOST_UNREACHABLE
	}
	TimedOut = Kind{
		syscall.ETIMEDOUT,
		syscall.Errno(10060), // WSAETIMEDOUT
		syscall.Errno(121),   // ERROR_SEM_TIMEOUT, on an established connection
	}
)
