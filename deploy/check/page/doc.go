// Package page holds the tests of the status page in a real browser: Debian's
// Chromium, driven over its debugging protocol, before the real program, which
// watches servers that pass for an ESA edge.
package page
