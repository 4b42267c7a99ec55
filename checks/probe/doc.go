// Package probe makes one HTTP request, measures it, and says what it saw: the
// answer, or the named condition that kept an answer from coming, and what the
// ESA edge said of itself. It judges nothing beyond that.
package probe
