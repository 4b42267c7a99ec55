// Package console tells incidents in plain text, to be read in a terminal.
package console

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/esawatch/esawatch/notify"
)

// Bounds of the width, in columns.
const (
	DefaultWidth = 100
	minWidth     = 40
)

// Options say where and how to print.
type Options struct {
	Writer   io.Writer
	Color    bool           // ANSI colours; nothing else than a terminal wants them
	Width    int            // columns; DefaultWidth when 0
	Location *time.Location // of the times shown; time.Local when nil
}

// Notifier is a notify.Notifier that prints. It may be used by several
// goroutines; a notification is one Write.
type Notifier struct {
	mu       sync.Mutex
	w        io.Writer
	color    bool
	width    int
	location *time.Location
}

var _ notify.Notifier = (*Notifier)(nil)

// New makes a Notifier.
func New(o Options) *Notifier {
	return &Notifier{
		w: o.Writer, color: o.Color,
		width:    max(minWidth, cmp.Or(o.Width, DefaultWidth)),
		location: cmp.Or(o.Location, time.Local),
	}
}

// Notify prints m: the first time all of it, later what changed and the
// conditions that are new. The receipt remembers which conditions were explained.
func (n *Notifier) Notify(ctx context.Context, m notify.Notification) (notify.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return m.Receipt, fmt.Errorf("console: %w", err)
	}
	text, explained := n.Render(m)
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := io.WriteString(n.w, text); err != nil {
		return m.Receipt, fmt.Errorf("console: write: %w", err)
	}
	return notify.Receipt{"explained": strings.Join(explained, " ")}, nil
}
