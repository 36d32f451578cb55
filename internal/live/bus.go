package live

import "context"

// Bus carries messages between nodes. A message may be lost, and nothing waits for it: what depends on messages counts
// them. Messages of one publisher on one channel come in their order.
type Bus interface {
	// Publish sends a message to every subscriber of the channel, on all nodes. It bounds itself how long that may take.
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe calls receive with each message, one after the other, and lost when some may have been missed, as after
	// a broken connection. receive must not block and must not change the message. Subscribe may take a moment, so that
	// nothing is missed after it; stop waits for nobody, and a call that has begun may still be running when it returns.
	Subscribe(channel string, receive func(message []byte), lost func()) (stop func())
}
