package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/quick"
)

// Checks are shared out evenly, and when a member goes only its own move.
func TestShareMovesLittle(t *testing.T) {
	const checks = 10_000
	members := []string{"fra-a", "fra-b", "fra-c", "fra-d"}
	before, count := map[string]string{}, map[string]int{}
	for i := range checks {
		name := fmt.Sprintf("shop/c%d", i)
		before[name] = owner(members, name)
		count[before[name]]++
	}
	for _, m := range members {
		if n := count[m]; n < checks/len(members)*9/10 || n > checks/len(members)*11/10 {
			t.Errorf("%s has %d of %d checks, want about a quarter", m, n, checks)
		}
	}
	left := []string{"fra-a", "fra-c", "fra-d"}
	for name, was := range before {
		if now := owner(left, name); was != "fra-b" && now != was {
			t.Fatalf("%s moved from %s to %s although fra-b went", name, was, now)
		}
	}
}

// Everybody has another rank, and who has rank 0 is the owner.
func TestRank(t *testing.T) {
	if err := quick.Check(func(what string) bool {
		members := []string{"a", "b", "c", "d", "e"}
		var ranks []int
		for _, m := range members {
			r := rank(members, m, what)
			ranks = append(ranks, r)
			if (r == 0) != (owner(members, what) == m) {
				return false
			}
		}
		slices.Sort(ranks)
		return slices.Equal(ranks, []int{0, 1, 2, 3, 4})
	}, nil); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	set := namesOf([]string{"shop/home", "shop/login", "shop/home"})
	again, ok := decodeNames(set.encode())
	if !ok || len(again) != 2 || !again.has("shop/login") || again.has("shop/other") || again.digest() != set.digest() {
		t.Errorf("%v became %v, %t", set, again, ok)
	}
	for _, raw := range [][]byte{{1}, {0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}} {
		if _, ok := decodeNames(raw); ok {
			t.Errorf("%v was understood", raw)
		}
	}
	if namesOf(nil).digest() == 0 || namesOf(nil).digest() == set.digest() {
		t.Error("sets are told apart by their digests, and 0 is none")
	}
}

func TestParseBeat(t *testing.T) {
	for _, bad := range []string{
		``, `{}`, `[]`, `{"id":"a"}`, `{"id":"a b","location":"fra"}`, `{"id":"a","location":"<b>"}`,
		`{"id":"a","location":"fra","region":"e u"}`, `{"id":"a","location":"fra","checks":7}`,
		fmt.Sprintf(`{"id":"a","location":"fra","url":%q}`, make([]byte, 200)),
		fmt.Sprintf(`{"id":"a","location":"fra","more":%q}`, make([]byte, maxBeat)),
	} {
		if b, err := parseBeat([]byte(bad)); err == nil {
			t.Errorf("%.60s was understood as %+v", bad, b)
		}
	}
	b, err := parseBeat([]byte(`{"version":9,"id":"fra-1","location":"fra","checks":"7","surprise":true}`))
	if err != nil || b.Checks != 7 || b.Location != "fra" {
		t.Errorf("a newer member's beat: %+v, %v", b, err)
	}
}

func FuzzParseBeat(f *testing.F) {
	f.Add([]byte(`{"version":1,"id":"fra-1","location":"fra","checks":"7","hello":true}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if b, err := parseBeat(raw); err == nil && (b.ID == "" || b.Location == "") {
			t.Errorf("%q: %+v", raw, b)
		}
	})
}
