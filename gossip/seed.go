package gossip

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// seed is an entry of Config.Join.
type seed struct {
	host string
	addr netip.Addr // valid when host is one
	port uint16
}

func (s seed) String() string { return net.JoinHostPort(s.host, strconv.Itoa(int(s.port))) }

// parseSeed reads "host", "host:port", "address", "[address]" or
// "[address]:port".
func parseSeed(entry string) (seed, error) {
	bad := func(why string) (seed, error) {
		return seed{}, fmt.Errorf("gossip: Join entry %q: %s: want host or host:port", entry, why)
	}
	s := seed{host: entry, port: DefaultPort}
	bracketed := strings.HasPrefix(entry, "[") && strings.HasSuffix(entry, "]")
	switch {
	case bracketed:
		s.host = entry[1 : len(entry)-1]
	case strings.HasPrefix(entry, "[") || strings.Count(entry, ":") == 1:
		host, service, err := net.SplitHostPort(entry)
		if err != nil {
			return bad(err.Error())
		}
		port, err := strconv.ParseUint(service, 10, 16)
		if err != nil || port == 0 {
			return bad(fmt.Sprintf("%q is not a port from 1 to 65535", service))
		}
		s.host, s.port = host, uint16(port)
	}
	if a, err := netip.ParseAddr(s.host); err == nil {
		if a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			return bad("not the address of one host")
		}
		s.addr = a.Unmap()
		return s, nil
	}
	switch {
	case s.host == "":
		return bad("no host")
	case bracketed || strings.Contains(s.host, ":"):
		return bad("not an IPv6 address")
	case len(s.host) > 253 || strings.ContainsAny(s.host, "/\\@?#[]%\"' \t\r\n\x00,;"):
		return bad("not a host's name")
	}
	return s, nil
}
