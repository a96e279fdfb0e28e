// A kfake cluster of one broker on loopback: kfake PORT. It ends with its standard input.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err == nil {
		// Sessions are short, as members are killed: of the older protocol by the client, whom kfake, like Kafka, would not let
		// go below 6 s; of the newer one by the broker.
		sessions := map[string]string{
			"group.consumer.session.timeout.ms":    "6000",
			"group.consumer.heartbeat.interval.ms": "1000",
		}
		_, err = kfake.NewCluster(
			kfake.NumBrokers(1),
			kfake.Ports(port),
			kfake.GroupMinSessionTimeout(time.Second),
			kfake.BrokerConfigs(sessions),
		)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
