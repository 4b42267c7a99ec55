package agent

import (
	"errors"

	"github.com/esawatch/esawatch/agent/config"
	"github.com/esawatch/esawatch/agent/incident"
)

// maintenance makes the windows of the configuration.
func (b *builder) maintenance() {
	for i := range b.plan.Config.Maintenance {
		m := &b.plan.Config.Maintenance[i]
		w, err := windowOf(m)
		if err != nil {
			b.fail(m.Path(), err)
			continue
		}
		b.plan.Windows = append(b.plan.Windows, w)
	}
}

func windowOf(m *config.Maintenance) (incident.Window, error) {
	w := incident.Window{Start: m.Start, End: m.End, Duration: m.Duration}
	var err error
	w.Mute, err = muteOf("maintenance "+m.Name, &m.Match)
	if m.Schedule != "" {
		line := m.Schedule
		if m.Timezone != "" {
			line = "CRON_TZ=" + m.Timezone + " " + line
		}
		cron, cronErr := config.ParseCron(line)
		if err = errors.Join(err, cronErr); cronErr == nil {
			w.Next = cron.Next
		}
	}
	return w, err
}

// muteOf covers what a match of the configuration fits.
func muteOf(name string, m *config.Match) (incident.Mute, error) {
	mute := incident.Mute{Name: name}
	var errs []error
	add := func(matcher incident.Matcher, err error) {
		mute.Matchers = append(mute.Matchers, matcher)
		errs = append(errs, err)
	}
	for label, values := range map[string][]string{
		"severity": texts(m.Severity), "fault": texts(m.Fault), "site": m.Site,
	} {
		if len(values) > 0 {
			add(incident.AnyOf(label, values))
		}
	}
	for label, value := range m.Labels {
		add(incident.AnyOf(label, []string{value}))
	}
	return mute, errors.Join(errs...)
}
