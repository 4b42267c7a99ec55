package web

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

// TestReadDocCut reads a document that ends at each of its bytes.
func TestReadDocCut(t *testing.T) {
	doc := someDoc()
	none := func(string, *ring) { t.Error("something was taken of a broken document") }
	for n := range doc {
		if err := readDoc(doc[:n], none); !errors.Is(err, errDocBroken) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(doc), err)
		}
	}
	if err := readDoc(append(bytes.Clone(doc), 0), none); !errors.Is(err, errDocBroken) {
		t.Errorf("with a byte too many: %v", err)
	}
	if err := readDoc([]byte{docVersion + 1}, none); !errors.Is(err, errDocNewer) {
		t.Errorf("of a newer program: %v", err)
	}
	n := 0
	if err := readDoc(doc, func(string, *ring) { n++ }); err != nil || n != 2 {
		t.Errorf("whole: %d checks, %v", n, err)
	}
}

// TestReadDocHours: an hour that no clock shows is damage, and nothing that
// would be counted to for ever.
func TestReadDocHours(t *testing.T) {
	doc := func(hour uint64) []byte {
		b := appendText([]byte{docVersion, 1}, "home")
		return append(binary.AppendUvarint(b, hour), 1, 5, 2, 0, 0) // 5 runs, 2 failed; no kinds, no results
	}
	for _, hour := range []uint64{maxHour + 1, math.MaxUint32, math.MaxUint64} {
		if err := readDoc(doc(hour), func(string, *ring) { t.Error("it was taken") }); !errors.Is(err, errDocBroken) {
			t.Errorf("hour %d: %v", hour, err)
		}
	}
	read := false
	err := readDoc(doc(maxHour), func(_ string, r *ring) {
		read = true
		if day := r.hours.tally(); day.runs != 5 || day.fails != 2 {
			t.Errorf("got %+v", day)
		}
		if again := r.append(nil); !bytes.HasSuffix(doc(maxHour), again) {
			t.Errorf("written again as % x", again)
		}
	})
	if err != nil || !read {
		t.Errorf("the last hour: %v", err)
	}
}

// someDoc is a document with something of everything.
func someDoc() []byte {
	m := NewRecent()
	m.SetChecks(checkList("shop/home", "shop/login"))
	for i, c := range []catalog.Condition{"", "522", "slow", ""} {
		r := result(noon.Add(time.Duration(i)*time.Hour), c)
		if i == 3 {
			r.Origin = nil
		}
		m.Observe(r)
	}
	return m.doc("shop")
}

// Whatever is read can be shown, added to and written, and is then read as the same.
func FuzzReadDoc(f *testing.F) {
	doc := someDoc()
	f.Add(doc)
	for i := range doc {
		other := bytes.Clone(doc)
		other[i] ^= 0x81
		f.Add(other)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = readDoc(raw, func(check string, r *ring) {
			m := NewRecent()
			m.SetChecks([]*checks.Check{{Site: "shop", Name: check}})
			m.recall("shop", check, r, catalog.Default())
			was := seen(m, "shop/"+check)
			if err := readDoc(m.doc("shop"), func(check string, r *ring) {
				again := NewRecent()
				again.SetChecks([]*checks.Check{{Site: "shop", Name: check}})
				again.recall("shop", check, r, catalog.Default())
				if diff := cmp.Diff(was, seen(again, "shop/"+check), cmp.AllowUnexported(history{}, entry{}, tally{})); diff != "" {
					t.Errorf("-was +is:\n%s", diff)
				}
			}); err != nil {
				t.Errorf("what was read cannot be read again: %v", err)
			}
			for i := range 2 * ringSize {
				x := result(noon.Add(time.Duration(i)*time.Minute), "522")
				x.Check = check
				m.Observe(x)
			}
			sparkOf(seen(m, "shop/"+check).entries)
		})
	})
}
