package probe

import (
	"slices"
	"testing"
)

func TestShownURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"https://shop.example.com/", "https://shop.example.com/"},
		{"https://shop.example.com/?", "https://shop.example.com/?"},
		{"https://shop.example.com/a?q=shoes-and-more&page=12345678", "https://shop.example.com/a?q=shoes-and-more&page=12345678"},
		{"https://shop.example.com/a?token=abcdefgh12&q=x", "https://shop.example.com/a?token=SECRET&q=x"},
		{"https://shop.example.com/a?q=%2F&auth_key=1609459200-0-0-aabb#x", "https://shop.example.com/a?q=%2F&auth_key=SECRET"},
		{"https://shop.example.com/a?apiKey=abcdefgh12&X-Amz-Signature=aabbccddee&X-Amz-Date=20260101T000000Z", "https://shop.example.com/a?apiKey=SECRET&X-Amz-Signature=SECRET&X-Amz-Date=20260101T000000Z"},
		{"https://shop.example.com/a?access%5Ftoken=a%2Fbcdefgh", "https://shop.example.com/a?access%5Ftoken=SECRET"},
		{"https://shop.example.com/a?tokens=true&key=de&monkey=abcdefgh12&design=abcdefgh12", "https://shop.example.com/a?tokens=true&key=de&monkey=abcdefgh12&design=abcdefgh12"},
		{"https://shop.example.com/a?api.key=x1&Access-Key=x2&api_key=x3", "https://shop.example.com/a?api.key=SECRET&Access-Key=SECRET&api_key=SECRET"},
		{"https://shop.example.com/a?password=hunter2&x", "https://shop.example.com/a?password=SECRET&x"},
		{"https://shop.example.com/a?userToken=abcdefgh12&sortKey=created_at_2&pwd=x1", "https://shop.example.com/a?userToken=SECRET&sortKey=created_at_2&pwd=SECRET"},
		{"https://shop.example.com/a?a=1;token=abcdefgh12;b", "https://shop.example.com/a?a=1;token=SECRET;b"},
		{"https://shop.example.com/a?PHPSESSID=abc&authorization=Bearer%20x", "https://shop.example.com/a?PHPSESSID=SECRET&authorization=SECRET"},
		{"https://shop.example.com/a?sort_key=created_at_2&page_token=abcdefgh12&key=images/logo2.png&sign=sagittarius", "https://shop.example.com/a?sort_key=created_at_2&page_token=abcdefgh12&key=images/logo2.png&sign=sagittarius"},
		{"https://shop.example.com/a?token=%74%72%75%65&tokenizer=standard12&auth=&auth_key=", "https://shop.example.com/a?token=%74%72%75%65&tokenizer=standard12&auth=&auth_key="},
	} {
		if got := ShownURL(tt.url); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.url, got, tt.want)
		}
	}
}

func TestQuerySecrets(t *testing.T) {
	got := querySecrets("q=abcdefgh12&token=a%2Fbcdefgh&sid=12345678")
	if want := []string{"a%2Fbcdefgh", "a/bcdefgh", "12345678"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
