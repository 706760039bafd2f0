// Asks the matcher that osv-scanner uses offline (osv-scalibr's `vulnmatch/osvlocal`) about packages.
//
//	peer FOLDER <PAIRS >ANSWERS
//
// FOLDER is laid out as OSV publishes (<ecosystem>/all.zip). A line of PAIRS is `ecosystem TAB name TAB version`, the
// same line of ANSWERS has the advisories that affect it, sorted, with blanks between.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/enricher/vulnmatch/osvlocal"
	"github.com/google/osv-scalibr/extractor"
	apk "github.com/google/osv-scalibr/extractor/filesystem/os/apk/metadata"
	dpkg "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
	rpm "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"
	"github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/plugin/config"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	var packages []*extractor.Package
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 3 {
			return fmt.Errorf("%q is not `ecosystem TAB name TAB version`", lines.Text())
		}
		described, err := describe(fields[0], fields[1], fields[2])
		if err != nil {
			return err
		}
		packages = append(packages, described)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	found, err := match(folder, packages)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, described := range packages {
		ids := found[described]
		slices.Sort(ids)
		fmt.Fprintln(out, strings.Join(ids, " "))
	}
	return out.Flush()
}

// describe makes the package that an extractor would have made of an installed one.
func describe(ecosystem, name, version string) (*extractor.Package, error) {
	described := &extractor.Package{Name: name, Version: version}
	base, release, _ := strings.Cut(ecosystem, ":")
	switch base {
	case "Go":
		described.PURLType = "golang"
	case "PyPI":
		described.PURLType = "pypi"
	case "crates.io":
		described.PURLType = "cargo"
	case "Debian":
		described.PURLType = "deb"
		described.Metadata = &dpkg.Metadata{PackageName: name, SourceName: name, OSID: "debian", OSVersionID: release}
	case "Alpine":
		described.PURLType = "apk"
		described.Metadata = &apk.Metadata{PackageName: name, OriginName: name, OSID: "alpine", OSVersionID: strings.TrimPrefix(release, "v") + ".0"}
	case "AlmaLinux":
		// It keeps the epoch apart.
		epoch, rest, has := strings.Cut(version, ":")
		if !has {
			epoch, rest = "0", version
		}
		number, err := strconv.Atoi(epoch)
		if err != nil {
			return nil, fmt.Errorf("the epoch of %s %s: %w", name, version, err)
		}
		described.Version = rest
		described.PURLType = "rpm"
		described.Metadata = &rpm.Metadata{PackageName: name, Epoch: number, OSID: "almalinux", OSVersionID: release}
	default:
		return nil, fmt.Errorf("nobody has said how to describe a package of %s", ecosystem)
	}
	return described, nil
}

func match(folder string, packages []*extractor.Package) (map[*extractor.Package][]string, error) {
	// It looks for <its path>/osv-scalibr/<ecosystem>/all.zip.
	place, err := os.MkdirTemp("", "peer")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(place)
	folder, err = filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(folder, filepath.Join(place, "osv-scalibr")); err != nil {
		return nil, err
	}
	matcher, err := osvlocal.New(&config.PluginConfig{
		ClientFactories: config.NewDefaultClientFactories(""),
		ProtoConfig: &cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{{
			Config: &cpb.PluginSpecificConfig_Osvlocal{Osvlocal: &cpb.OSVLocalConfig{LocalPath: place}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	taken := &inventory.Inventory{Packages: packages}
	if err := matcher.Enrich(context.Background(), nil, taken); err != nil {
		return nil, err
	}
	found := map[*extractor.Package][]string{}
	for _, hit := range taken.PackageVulns {
		found[hit.Package] = append(found[hit.Package], hit.Vulnerability.Id)
	}
	return found, nil
}
