"""A client of a fleet's broker as others write one: paho, with a certificate.

client.py sub 5|311 PORT CA CERTIFICATE KEY FILTER...   prints READY, then MSG <retained> <hex> <topic>
client.py pub 5|311 PORT CA CERTIFICATE KEY TOPIC PAYLOAD   ends when the broker has it
What the broker refuses is said as REFUSED. Works with paho 1.6 and 2.
"""

import ssl
import sys

import paho.mqtt.client as mqtt


def say(*words):
    print(*words, flush=True)


def main():
    what, version, port, ca, certificate, key, *rest = sys.argv[1:]
    protocol = mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311
    newer = hasattr(mqtt, "CallbackAPIVersion")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, protocol=protocol) if newer else mqtt.Client(protocol=protocol)
    client.tls_set(ca_certs=ca, certfile=certificate, keyfile=key, tls_version=ssl.PROTOCOL_TLS_CLIENT)

    let_in = []

    def on_connect(client, userdata, flags, code, properties=None):
        if code != 0:
            say("REFUSED", code)
            client.disconnect()
            return
        let_in.append(True)
        if what == "sub":
            client.subscribe([(topic, 1) for topic in rest] if version == "311" else
                             [(topic, mqtt.SubscribeOptions(qos=1)) for topic in rest])
        else:
            client.publish(rest[0], rest[1], qos=1)

    def on_disconnect(client, userdata, code, properties=None):
        # Under TLS 1.3 a certificate is refused after the handshake; once let in, it comes back by itself.
        if not let_in:
            say("REFUSED", code)
            client.disconnect()

    def on_subscribe(client, userdata, mid, *granted):
        say("READY")

    def on_message(client, userdata, message):
        say("MSG", int(message.retain), message.payload.hex(), message.topic)

    def on_publish(client, userdata, mid, *result):
        client.disconnect()

    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    client.on_message, client.on_publish = on_message, on_publish
    client.on_disconnect = on_disconnect
    try:
        client.connect("127.0.0.1", int(port), keepalive=20)
        client.loop_forever(retry_first_connection=False)
    except OSError as error:
        # ssl.SSLError is one.
        say("REFUSED", type(error).__name__)


main()
