package slack

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{2,}$`)
	markup  = regexp.MustCompile(`^<(@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!(here|channel|everyone))(\|[^<>|]*)?>$`)
)

// parseMention turns what an operator writes (one or several, separated by
// spaces: @here, U012AB3CD, S012AB3CD, or Slack's own <@U012AB3CD>) into what
// Slack takes. Names are refused: Slack has not linked them for years, and a
// mention that silently calls nobody is worse than an error.
func parseMention(s string) (string, error) {
	var mentions []string
	for word := range strings.FieldsSeq(s) {
		name := strings.TrimPrefix(word, "@")
		switch {
		case markup.MatchString(word):
			mentions = append(mentions, word)
		case name == "here", name == "channel", name == "everyone":
			mentions = append(mentions, "<!"+name+">")
		case userID.MatchString(name):
			mentions = append(mentions, "<@"+name+">")
		case groupID.MatchString(name):
			mentions = append(mentions, "<!subteam^"+name+">")
		default:
			return "", fmt.Errorf("slack: mention %q: want @here, @channel, or the ID of a user (U…) or of a user group (S…)", word)
		}
	}
	return strings.Join(mentions, " "), nil
}
