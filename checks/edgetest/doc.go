// Package edgetest is a simulated ESA edge with an origin behind it, as
// httptest is a simulated server. It answers on a loopback port, with the
// headers, cookies and error pages that an ESA node sends, and it can be told
// at run time what to do next: work, refuse, challenge, hang.
//
// It serves tests and the demo alike, so it needs neither the network nor
// package testing; its certificates are made in memory. What it sends is what
// public captures show of ESA; it makes no claim to know more.
package edgetest
