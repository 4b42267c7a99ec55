package notify

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct{ text, head, rest string }{
		{"", "", ""},
		{"short", "short", ""},
		{"exactly ten", "exactly", "ten"},
		{"abcdefghij", "abcdefghij", ""},
		{"abcdefghijkl", "abcdefghij", "kl"},
		{"一二三四五六", "一二三四五", "六"},
		{"ab 一二三四五", "ab 一二三", "四五"},
		{"https://example.com/x then more", "https://example.com/x", "then more"},
		{"一二三四五。六", "一二三四", "五。六"},
		{"一二三四（五）", "一二三四", "（五）"},
		{"一二三四abc五", "一二三四", "abc五"},
		{"一二三abc四五", "一二三abc", "四五"},
		{"一二 http://example.com/。三", "一二", "http://example.com/。三"},
		{"先执行命令`id`。", "先执行命令", "`id`。"},
		{"。。。。。。", "。。。。。", "。"},
		{"https://example.com/x，是在后者那里", "https://example.com/x，", "是在后者那里"},
		{"https://example.com/x那里", "https://example.com/x", "那里"},
	} {
		if head, rest := Split(test.text, 10); head != test.head || rest != test.rest {
			t.Errorf("Split(%q) = %q, %q; want %q, %q", test.text, head, rest, test.head, test.rest)
		}
	}
}

// FuzzSplit holds that nothing is lost but a space, that it comes to an end, and
// that what is no address fits.
func FuzzSplit(f *testing.F) {
	f.Add("在源站看此刻的错误日志：`tail -n 50 /var/log/nginx/error.log`。", 20)
	f.Add("（（（（", 1)
	f.Add("\xff\xfe", 1)
	f.Fuzz(func(t *testing.T, text string, room int) {
		for rest := text; rest != ""; {
			head, left := Split(rest, room)
			if head+left != rest && head+" "+left != rest {
				t.Fatalf("%q, %d: %q and %q", rest, room, head, left)
			}
			if len(left) >= len(rest) {
				t.Fatalf("%q, %d: nothing was taken off", rest, room)
			}
			if room >= 2 && Width(head) > room && !strings.Contains(head, "://") {
				t.Fatalf("%q, %d: %q takes %d", rest, room, head, Width(head))
			}
			rest = left
		}
	})
}
