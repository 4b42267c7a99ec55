package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/esawatch/esawatch/checks/catalog"
)

// handshakeFailure explains why TLS did not come about, certificates aside.
func handshakeFailure(err error) *failure {
	if isClosed(err) {
		f := broken(catalog.ConnectionReset, err)
		f.detail = "closed during the TLS handshake: " + reason(err)
		return f
	}
	f := broken(catalog.TLSHandshake, err)
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		f.detail = "the server does not speak TLS"
		if strings.HasPrefix(string(record.RecordHeader[:]), "HTTP/") {
			f.notes = append(f.notes, "answer: plain HTTP, on a port that should speak TLS")
		} else {
			f.notes = append(f.notes, fmt.Sprintf("answer: %q", record.RecordHeader[:]))
		}
	}
	return f
}

// refusals are what servers mean by the alerts with which they end a handshake.
// The alert itself is all that they say, so the words leave room for doubt.
var refusals = []struct {
	alert tls.AlertError
	means string
}{
	{40, "nothing in common; most likely no cipher, or no certificate for this name"}, // handshake_failure
	{70, "the server takes none of the TLS versions offered"},                         // protocol_version
	{71, "the server finds the ciphers offered too weak"},                             // insufficient_security
	{80, "the server failed; most likely it has no usable certificate for this name"}, // internal_error
	{112, "the server does not know this name"},                                       // unrecognized_name
	{120, "the server does not speak the HTTP version asked for"},                     // no_application_protocol
}

// handshakeNote puts the alert at the end of a failure's detail, if there is
// one, into plain words; name is what the handshake asked for.
func handshakeNote(detail, name string) string {
	for _, r := range refusals {
		if strings.HasSuffix(detail, r.alert.Error()) {
			return fmt.Sprintf("handshake: for %s: %s", name, r.means)
		}
	}
	return ""
}
