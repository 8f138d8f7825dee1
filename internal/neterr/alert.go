package neterr

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
)

// alertOf returns the code of the TLS alert in err, from either end. crypto/tls does
// not export the alert's type over TCP, a uint8, but names the operation. A code that
// can't be told is negative.
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

// isPermanentAlert reports a TLS alert that another handshake would meet again: no
// common version, a certificate refused. What is wrong with a record, by a flipped bit
// or a peer that is confused, is not wrong with the next connection.
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

// isNoTLS reports that what came first from the other end was no TLS. Only then the
// error has the connection; a header of a later record may be wrong by accident.
func isNoTLS(err error) bool {
	header, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && header.Conn != nil
}
