package probe

import (
	"slices"
	"strings"
	"testing"
)

func TestBodySecrets(t *testing.T) {
	const form, js = "application/x-www-form-urlencoded", "application/json; charset=utf-8"
	for _, tt := range []struct{ media, body, want string }{
		{"", "", ""},
		{form, "user=alice&password=hunter2", "hunter2"},
		{"", "user=alice&passwd=hunter2\n", "hunter2"},
		{form, "password=a%26b+c&lang=de", "a%26b+c a&b c"},
		{form, "userPwd=hunter2&pass=shop1&pin=4711&page=12345678", "4711 hunter2 shop1"},
		{form, "grant_type=client_credentials&client_id=abcdefgh12&client_secret=s3cret", "s3cret"},
		{form, "password=a;b=c", "a;b=c"},
		{form, "pass=true&password=&accept=yes&compass=northwest1", ""},
		{js, `{"user":"alice","password":"a\"b","remember":true}`, `a"b`},
		{"", ` {"login":{"userPassword":"hunter2","otp":"123456789"},"page":3}`, "123456789 hunter2"},
		{js, `[{"pin":471100,"passwords":["first","second"],"secret":null}]`, "471100 first second"},
		{js, `{"variables":{"refreshToken":"abc"},"query":"{ a(b: 1) }"}`, "abc"},
		{js, `{"sessionToken":"abcdefgh12","pageToken":"abcdefgh34"}`, "abcdefgh12"},
		{js, `{"password":"hunter2"`, "hunter2"},
		{"application/x-ndjson", "{\"a\":1}\n{\"password\":\"hunter2\"}\n", "hunter2"},
		{"text/xml", "<login><user>alice</user><password>hunter2</password></login>", "hunter2"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x--", "hunter2"},
		{"application/graphql", `mutation { login(user: "alice", password: "hunter2") { id } }`, "hunter2"},
		{js, `{"query":"mutation { login(password: \"hunter2\") { id } }"}`, "hunter2"},
		{"application/octet-stream", "\x00\xff&password=hunter2", "hunter2"},
		{"text/xml", "<page>12345678</page>", ""},
		{"text/xml", `<wsse:Password Type="PasswordText">hunter2xyz</wsse:Password>`, "hunter2xyz"},
		{"text/xml", "<password>correct horse battery</password>", "correct horse battery"},
		{"text/xml", "<password><![CDATA[hunter2xyz]]></password>", "hunter2xyz"},
		{"text/xml", "<password>a&amp;bhunter2</password>", "a&amp;bhunter2 a&bhunter2"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=password\r\n\r\nhunter2\r\n--x--", "hunter2"},
		{"text/x-login", "user=alice;password=hunter2", "hunter2"},
		{js, `{"callback":"https://x.example/?token=abcdefgh1234"}`, "abcdefgh1234"},
		{js, `{"note":"a password: required here"}`, ""},
		{js, `{"query":"mutation($password: String!) {login(password: $password) { token: sessionToken }}"}`, ""},
		{"application/graphql", "mutation($password: String!) {login(password: $password) { token: sessionToken }}", ""},
		{js, `{"token_count":1234,"pin":true}`, ""},
	} {
		got := bodySecrets([]byte(tt.body), tt.media)
		slices.Sort(got)
		got = slices.Compact(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s %q: got %q, want %s", tt.media, tt.body, got, tt.want)
		}
	}
}
