package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
)

// exported are the metrics of a node by name, with their labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	cfg, err := config.Load(writeConfig(t, ""), func(string) string { return "" })
	require.NoError(t, err)
	n, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	defer n.close()
	descs := make(chan *prometheus.Desc, 1000)
	n.metrics.Describe(descs)
	close(descs)
	name, labels := regexp.MustCompile(`fqName: "([^"]+)"`), regexp.MustCompile(`(?:constLabels: \{([^}]*)\}, )variableLabels: \{([^}]*)\}`)
	found := map[string][]string{}
	for d := range descs {
		of := name.FindStringSubmatch(d.String())[1]
		m := labels.FindStringSubmatch(d.String())
		require.NotNil(t, m, d.String())
		for constant := range strings.SplitSeq(m[1], ",") {
			label, _, _ := strings.Cut(constant, "=")
			found[of] = append(found[of], label)
		}
		found[of] = append(found[of], strings.Split(m[2], ",")...)
	}
	return found
}

var (
	metricName = regexp.MustCompile(`\b(?:trunkline|go|process)_[a-z0-9_]+`)
	selector   = regexp.MustCompile(`\b((?:trunkline|go|process)_[a-z0-9_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
)

// unknown are the metrics and labels of a query that no node exports.
func unknown(query string, known map[string][]string) (bad []string) {
	base := func(name string) string {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if short, cut := strings.CutSuffix(name, suffix); cut && known[short] != nil {
				return short
			}
		}
		return name
	}
	given := []string{"instance", "job", "le"} // by Prometheus, and by histograms
	var all []string
	for _, name := range metricName.FindAllString(query, -1) {
		if known[base(name)] == nil {
			bad = append(bad, name)
		}
		all = append(all, known[base(name)]...)
	}
	for _, m := range selector.FindAllStringSubmatch(query, -1) {
		for _, label := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(append(given, known[base(m[1])]...), label[1]) {
				bad = append(bad, m[1]+"{"+label[1]+"}")
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(append(given, all...), label) {
				bad = append(bad, "by ("+label+")")
			}
		}
	}
	return bad
}

// TestDashboardAsksForWhatThereIs: every metric and label of the dashboard and
// of the alerts exists, and every metric of the gateway is looked at.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	known := exported(t)
	text, err := os.ReadFile("../../contrib/grafana/trunkline.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	looked := ""
	for _, p := range dashboard.Panels {
		assert.True(t, p.Type == "row" || len(p.Targets) > 0, "%s shows nothing", p.Title)
		for _, target := range p.Targets {
			assert.Regexp(t, metricName, target.Expr, p.Title)
			assert.Empty(t, unknown(target.Expr, known), "%s: %s", p.Title, target.Expr)
			looked += target.Expr + "\n"
		}
	}
	docs, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	assert.Empty(t, unknown(string(docs), known), "docs/monitoring.md")
	for name := range known {
		if strings.HasPrefix(name, "trunkline_gateway_") {
			assert.Regexp(t, `\b`+name+`(_bucket|_sum|_count)?\b`, looked, "the dashboard does not show it")
		}
	}
	assert.NotEmpty(t, unknown(`sum by (colour) (trunkline_gateway_odd{shape="x"})`, known), "the check finds what it looks for")
	assert.Len(t, unknown(`sum by (colour) (trunkline_gateway_logins_total{shape="x"})`, known), 2)
}

// TestEveryMetricIsExplainedOnce: the table in the documentation has every metric
// of ours that a node exports, each in one row, and no other; and with the
// gateway's stand the labels that they have.
func TestEveryMetricIsExplainedOnce(t *testing.T) {
	known := exported(t)
	var ours []string
	for name := range known {
		if strings.HasPrefix(name, "trunkline_") {
			ours = append(ours, name)
		}
	}
	require.Greater(t, len(ours), 20)
	docs, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(docs), "| metric | labels | is |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var explained []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		names := regexp.MustCompile("trunkline_[a-z0-9_]+").FindAllString(cells[1], -1)
		explained = append(explained, names...)
		if len(names) == 1 && strings.HasPrefix(names[0], "trunkline_gateway_") {
			labels := regexp.MustCompile("[a-z_]+").FindAllString(cells[2], -1)
			has := slices.Compact(slices.Sorted(slices.Values(known[names[0]])))
			has = slices.DeleteFunc(has, func(label string) bool { return label == "" })
			assert.ElementsMatch(t, has, labels, names[0])
		}
	}
	assert.ElementsMatch(t, ours, explained)
}

// TestEveryEndIsExplained: the reasons in the documentation are those that the
// gateway has.
func TestEveryEndIsExplained(t *testing.T) {
	files, err := filepath.Glob("../../gateway/*.go")
	require.NoError(t, err)
	reasons := map[string]bool{"server_error": true} // named apart
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`ending\{\s*reason: +"([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			reasons[m[1]] = true
		}
	}
	require.Greater(t, len(reasons), 20)
	docs, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(docs), "<!-- reasons -->\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	explained := map[string]bool{}
	for line := range strings.Lines(table) {
		first := strings.Split(line, "|")[1]
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(first, -1) {
			explained[m[1]] = true
		}
	}
	delete(explained, "reason")
	assert.Equal(t, reasons, explained)
}
