package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

func versionCommand() command {
	return command{
		name:    "version",
		summary: "print what this program was built from",
		run: func(c *call) int {
			if len(c.args) > 0 {
				return c.misused("version takes no arguments")
			}
			fmt.Fprintln(c.stdout, version())
			return exitOK
		},
	}
}

// release is set by the linker for released builds.
var release string

// version returns name, release, commit and toolchain on one line.
func version() string {
	name, commit, dirty := release, "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if name == "" {
			name = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && len(s.Value) >= 12:
				commit = " commit " + s.Value[:12]
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = " with local changes"
			}
		}
	}
	if name == "" || name == "(devel)" {
		name = "development"
	}
	return fmt.Sprintf("trunkline %s%s%s (%s, %s/%s)", name, commit, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
