package checks_test

import (
	"testing"

	"github.com/esawatch/esawatch/checks"
	"github.com/esawatch/esawatch/checks/catalog"
)

func TestNames(t *testing.T) {
	for _, test := range []struct{ full, site, check string }{
		{"shop/login", "shop", "login"},
		{"shop", "shop", ""},
		{"shop/", "shop", ""},
		{"", "", ""},
		{"a.b-c_d/1", "a.b-c_d", "1"},
		{"shop/a/b", "shop", "a/b"}, // no name holds a slash: there is no such check
	} {
		site, check := checks.SplitName(test.full)
		if site != test.site || check != test.check {
			t.Errorf("SplitName(%q) = %q, %q, want %q, %q", test.full, site, check, test.site, test.check)
		}
		if check != "" && checks.FullName(site, check) != test.full {
			t.Errorf("FullName(%q, %q) = %q, want %q", site, check, checks.FullName(site, check), test.full)
		}
	}
}

func TestConditionOfAResult(t *testing.T) {
	if c := (checks.Result{}).Condition(); c != "" {
		t.Errorf("condition without a diagnosis is %q", c)
	}
	if c := (checks.Result{Diagnosis: &catalog.Diagnosis{Condition: "522"}}).Condition(); c != "522" {
		t.Errorf("condition is %q, want 522", c)
	}
}
