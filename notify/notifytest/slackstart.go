package notifytest

import "testing"

// StartSlack serves a new stand-in on a loopback port until the test ends.
func StartSlack(t testing.TB) *Slack {
	t.Helper()
	s := NewSlack()
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Down)
	return s
}
