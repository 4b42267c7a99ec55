//go:build !linux

package main

import (
	"context"
	"time"
)

// keepPagesFew needs Linux.
func keepPagesFew(context.Context, time.Duration) {}
