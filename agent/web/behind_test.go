package web

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

func TestBehind(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, behindBuffer - 1, behindBuffer, behindBuffer + 1, 10*behindBuffer + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		var got bytes.Buffer
		b := newBehind(&got)
		for left := want; len(left) > 0; {
			n := min(len(left), 1+random.IntN(2*behindBuffer))
			if written, err := b.Write(left[:n]); written != n || err != nil {
				t.Fatalf("wrote %d of %d, %v", written, n, err)
			}
			left = left[n:]
		}
		for range 2 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes came out as %d, or as others", size, got.Len())
		}
	}
}

// limited takes so many bytes and then no more.
type limited struct{ left int }

var errBroken = errors.New("broken")

func (w *limited) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

// TestBehindEndsWithTheWriterBelow holds that nobody goes on making what cannot
// be written, and that the last bytes are not taken for written.
func TestBehindEndsWithTheWriterBelow(t *testing.T) {
	b := newBehind(&limited{2 * behindBuffer})
	n, err := io.Copy(b, io.LimitReader(rand.NewChaCha8([32]byte{}), 100*behindBuffer))
	if !errors.Is(err, errBroken) || n > 10*behindBuffer {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
	if err := b.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close: %v", err)
	}
	b = newBehind(&limited{})
	if _, err := b.Write([]byte("a")); err != nil {
		t.Error(err)
	}
	if err := b.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close after one byte: %v", err)
	}
}
