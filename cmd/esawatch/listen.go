package main

import (
	"context"
	"net"
)

// freeAddress is the address itself when it can be listened on, else the same
// host with a port that is free now.
func freeAddress(ctx context.Context, address string) string {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err == nil {
		_ = l.Close() // it was only tried
		return address
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address // the agent will say what is wrong with it
	}
	return net.JoinHostPort(host, "0")
}
