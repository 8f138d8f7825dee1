package neterr

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
)

// alertOf returns the code of the TLS alert in err, sent by either end. crypto/tls wraps
// an alert in a net.OpError whose Op is known, but whose type, a uint8, is not exported
// for TCP. If the code can't be read, it is negative.
func alertOf(err error) (code int, ok bool) {
	op, isOp := errors.AsType[*net.OpError](err)
	if !isOp || op.Op != "remote error" && op.Op != "local error" {
		return 0, false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return int(v.Uint()), true
	}
	return -1, true
}

// isPermanentAlert reports whether err is a TLS alert that another handshake would cause
// again, such as no common version or a refused certificate. Alerts about a single record
// (a flipped bit, a peer in a wrong state) are excluded: a new connection may work.
func isPermanentAlert(err error) bool {
	code, ok := alertOf(err)
	switch code { // RFC 8446, section 6.2, and RFC 5246, section 7.2.2
	case 10, // unexpected_message
		20, // bad_record_mac
		21, // decryption_failed
		22, // record_overflow
		50, // decode_error
		80, // internal_error
		90: // user_canceled
		return false
	}
	return ok
}

func isAlert(err error) bool {
	_, ok := alertOf(err)
	return ok
}

// isNoTLS reports whether the peer's first bytes were not TLS. Only in that case does
// crypto/tls set the error's Conn; a later record's header may be damaged by accident.
func isNoTLS(err error) bool {
	header, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && header.Conn != nil
}
