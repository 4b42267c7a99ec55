package dashboards

import (
	"maps"
	"slices"
	"testing"
)

// kind is what Grafana's schema of a panel type knows, as far as it is used here.
type kind struct{ options, custom []string }

var legendAndTooltip = []string{"legend", "tooltip"}

// kinds are from Grafana's own panel schemas (github.com/grafana/grafana,
// docs/sources/developers/kinds/composable, of version 11). A misspelt option is
// ignored in silence, so that nobody would miss it.
var kinds = map[string]kind{
	"stat": {options: []string{"colorMode", "graphMode", "justifyMode", "orientation", "reduceOptions", "showPercentChange", "text", "textMode", "wideLayout"}},
	"table": {
		options: []string{"cellHeight", "footer", "frameIndex", "showHeader", "showTypeIcons", "sortBy"},
		custom:  []string{"align", "cellOptions", "filterable", "hidden", "hideHeader", "inspect", "minWidth", "width"},
	},
	"timeseries": {
		options: slices.Concat(legendAndTooltip, []string{"orientation", "timezone"}),
		custom: []string{"axisBorderShow", "axisCenteredZero", "axisColorMode", "axisGridShow", "axisLabel", "axisPlacement", "axisSoftMax", "axisSoftMin",
			"axisWidth", "barAlignment", "barMaxWidth", "barWidthFactor", "drawStyle", "fillBelowTo", "fillColor", "fillOpacity", "gradientMode", "hideFrom", "lineColor",
			"lineInterpolation", "lineStyle", "lineWidth", "pointColor", "pointSize", "pointSymbol", "scaleDistribution", "showPoints", "spanNulls", "stacking",
			"thresholdsStyle", "transform"},
	},
	"state-timeline": {
		options: slices.Concat(legendAndTooltip, []string{"alignValue", "mergeValues", "perPage", "rowHeight", "showValue", "timezone"}),
		custom:  []string{"fillOpacity", "hideFrom", "lineWidth"},
	},
	"barchart": {
		options: slices.Concat(legendAndTooltip, []string{"barRadius", "barWidth", "colorByField", "fullHighlight", "groupWidth", "orientation", "showValue", "stacking",
			"text", "xField", "xTickLabelMaxLength", "xTickLabelRotation", "xTickLabelSpacing"}),
		custom: []string{"axisBorderShow", "axisCenteredZero", "axisColorMode", "axisGridShow", "axisLabel", "axisPlacement", "axisSoftMax", "axisSoftMin", "axisWidth",
			"fillOpacity", "gradientMode", "hideFrom", "lineWidth", "scaleDistribution", "thresholdsStyle"},
	},
	"heatmap": {
		options: slices.Concat(legendAndTooltip, []string{"calculate", "calculation", "cellGap", "cellRadius", "cellValues", "color", "exemplars", "filterValues", "rowsFrame",
			"showValue", "yAxis"}),
		custom: []string{"hideFrom", "scaleDistribution"},
	},
}

// properties are what an override may set beside the custom ones of its panel.
var properties = []string{"color", "decimals", "displayName", "links", "mappings", "max", "min", "noValue", "thresholds", "unit"}

// units are the ones that we use of Grafana's, with what they make of a number.
var units = map[string]string{
	"short": "1.2 K", "none": "1234", "percentunit": "1 is 100 %", "s": "seconds", "d": "days", "bytes": "KiB", "ops": "1.2 ops/s", "dateTimeAsIso": "milliseconds since 1970",
}

func TestOptionsAreGrafanas(t *testing.T) {
	for _, b := range boards(t) {
		for _, p := range b.shown() {
			where := b.file + ": " + p.Title
			k, ok := kinds[p.Type]
			if !ok {
				t.Errorf("%s: the panel type %q is not among those that Grafana 10 to 12 share", where, p.Type)
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(p.Options)) {
				if !slices.Contains(k.options, name) {
					t.Errorf("%s: a %s has no option %q", where, p.Type, name)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(p.FieldConfig.Defaults.Custom)) {
				if !slices.Contains(k.custom, name) {
					t.Errorf("%s: a %s has no field option %q", where, p.Type, name)
				}
			}
			checkUnit(t, where, p.FieldConfig.Defaults.Unit)
			checkOverrides(t, where, p, k)
		}
	}
}

func checkUnit(t *testing.T, where, unit string) {
	t.Helper()
	if units[unit] == "" {
		t.Errorf("%s: the unit %q is not in the list", where, unit)
	}
}

func checkOverrides(t *testing.T, where string, p panel, k kind) {
	t.Helper()
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID != "byName" {
			t.Errorf("%s: the matcher %q is not in use here", where, o.Matcher.ID)
		}
		for _, property := range o.Properties {
			name, custom := property.ID, false
			if len(name) > 7 && name[:7] == "custom." {
				name, custom = name[7:], true
			}
			if custom && !slices.Contains(k.custom, name) || !custom && !slices.Contains(properties, name) {
				t.Errorf("%s: an override sets %q, which a %s has not", where, property.ID, p.Type)
			}
			if property.ID == "unit" {
				var unit string
				unmarshal(t, property.Value, &unit)
				checkUnit(t, where, unit)
			}
		}
	}
}
