#!/usr/bin/env python3
"""A fleet operator's own program, with paho-mqtt 1.6 or 2.x: each value once, and what is missing.

It prints one line for each new value or sealed batch, "skipped" for numbers that the gateway says will never
come, "missing" for numbers that nobody named (lost at the broker, where they expired as a rule), and
"delete" for what has to be deleted. It keeps nothing, so it answers that at once; yours deletes first.
"""

import argparse
import json
import ssl
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Streams:
    """What is known of each vehicle and purpose: the next number, and the ids that came lately."""

    def __init__(self):
        self.next = {}
        self.ids = {}

    def take(self, message):
        """Says whether a message is new, and which numbers before it are missing."""
        stream = (message["purpose"], message["vehicle"])
        ids = self.ids.setdefault(stream, {})
        if message["id"] in ids:
            return False, None
        ids[message["id"]] = True
        if len(ids) > 1000:
            del ids[next(iter(ids))]
        last = message["seq"]
        first = last - message.get("skipped", 1) + 1
        expected = self.next.get(stream, first)
        self.next[stream] = max(expected, last + 1)
        missing = (expected, first - 1) if first > expected else None
        return True, missing


def line(message):
    """What a person reads."""
    head = f'{message["purpose"]} {message["vehicle"][:8]} {message["seq"]}'
    if "skipped" in message:
        return f'{head} skipped {message["skipped"]}'
    if "envelope" in message:
        return f'{head} sealed until {message["delete_by"]}'
    value = json.dumps(message["value"])
    return f'{head} {message["path"]} {value} {message["unit"]} at {message["time"]}'


def connect(args):
    """A client with a session that the broker keeps while this program is away."""
    client_id = f"operator.{args.operator}.fleet-py"
    protocol = mqtt.MQTTv5 if args.mqtt == "5" else mqtt.MQTTv311
    kept = {} if args.mqtt == "5" else {"clean_session": False}
    if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, client_id=client_id, protocol=protocol, **kept)
    else:
        client = mqtt.Client(client_id=client_id, protocol=protocol, **kept)
    if args.ca:
        client.tls_set(args.ca, args.certificate, args.certificate_key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
    if args.password_file:
        with open(args.password_file, encoding="utf-8") as file:
            client.username_pw_set(f"operator.{args.operator}", file.read().strip())
    if args.mqtt == "5":
        # Three days; a session without an expiry would end with the connection.
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 72 * 3600
        client.connect(args.host, args.port, clean_start=False, properties=properties)
    else:
        client.connect(args.host, args.port)
    return client


def main():
    """Subscribes, and prints until it is interrupted or has printed enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8883)
    parser.add_argument("--operator", required=True)
    parser.add_argument("--ca", help="certificate authority of the broker; without it there is no TLS")
    parser.add_argument("--certificate")
    parser.add_argument("--certificate-key")
    parser.add_argument("--password-file")
    parser.add_argument("--mqtt", choices=["5", "3.1.1"], default="5")
    parser.add_argument("--count", type=int, help="end after so many lines")
    args = parser.parse_args()

    streams = Streams()
    left = [args.count]

    def say(text):
        print(text, flush=True)
        if left[0] is not None:
            left[0] -= 1
            if left[0] <= 0:
                client.disconnect()

    def on_connect(client, _userdata, _flags, reason, _properties=None):
        if reason != 0:
            print(f"the broker refused: {reason}", file=sys.stderr)
            client.disconnect()
            return
        # Values, sealed batches, gaps and notices. Subscribed anew on each connection: the broker may have lost the session.
        client.subscribe(f"vernport/v1/fleet/{args.operator}/+/+/+", qos=1)

    def on_subscribe(*_):
        print("subscribed", file=sys.stderr, flush=True)

    def on_message(client, _userdata, received):
        message = json.loads(received.payload)
        place = received.topic.rsplit("/", 1)
        if place[1] == "deleted":  # our own answer, which the filter brings back
            return
        if place[1] == "delete":
            # Here your program deletes what it keeps of this vehicle, purpose and flow in that time.
            answer = json.dumps({"v": 1, "id": message["id"]})
            client.publish(f"{place[0]}/deleted", answer, qos=1)
            say(f'{message["purpose"]} {message["vehicle"][:8]} delete {message["flow"]} {message["from"]} {message["until"]}')
            return
        is_new, missing = streams.take(message)
        if missing:
            say(f'{message["purpose"]} {message["vehicle"][:8]} {missing[0]}-{missing[1]} missing')
        if is_new:
            say(line(message))

    client = connect(args)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.loop_forever()


if __name__ == "__main__":
    main()
