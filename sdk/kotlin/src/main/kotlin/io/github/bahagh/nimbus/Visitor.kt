package io.github.bahagh.nimbus

import java.io.File
import java.io.IOException
import java.time.Duration
import java.util.Properties
import java.util.concurrent.ConcurrentHashMap

/**
 * Keeps what a [Visitor] is known by, beyond the life of the program: short texts by name. In an app, its
 * SharedPreferences.
 */
public interface Store {
    /** Null when there is none. */
    public fun get(name: String): String?

    /** Null forgets it. */
    public fun set(name: String, value: String?)
}

/** Ends with the program. */
public class MemoryStore : Store {
    private val kept = ConcurrentHashMap<String, String>()

    override fun get(name: String): String? = kept[name]

    override fun set(name: String, value: String?) {
        if (value == null) kept.remove(name) else kept[name] = value
    }
}

/**
 * Keeps it in a file, which is replaced as a whole. What cannot be read is as if it were not there; what cannot be
 * written is lost.
 */
public class FileStore(private val file: File) : Store {
    private val kept = Properties()

    init {
        try {
            if (file.exists()) file.inputStream().use { kept.load(it) }
        } catch (_: IOException) {
            kept.clear()
        } catch (_: IllegalArgumentException) { // a damaged escape
            kept.clear()
        }
    }

    @Synchronized
    override fun get(name: String): String? = kept.getProperty(name)

    @Synchronized
    override fun set(name: String, value: String?) {
        if (value == null) kept.remove(name) else kept.setProperty(name, value)
        val other = File(file.path + ".new")
        try {
            file.absoluteFile.parentFile?.mkdirs()
            other.outputStream().use { kept.store(it, null) }
            if (!other.renameTo(file)) other.delete()
        } catch (_: IOException) {
            other.delete()
        }
    }
}

/**
 * Tracks for one person at one device: in an app, or in a command. Every event and every operation gets their ids,
 * and each event the prop `session_id`. It is safe for concurrent use. [Tracker.visitor] makes one.
 */
public class Visitor internal constructor(
    private val tracker: Tracker,
    private val store: Store,
    private val sessionTimeout: Duration,
) : Calls() {
    override val register: Register = Register(kept()) { store.set(SUPER, if (it.isEmpty()) null else Json.write(it)) }

    /** What was damaged is as if it were not there. */
    @Suppress("UNCHECKED_CAST") // an object of JSON
    private fun kept(): Map<String, Any?> = try {
        store.get(SUPER)?.let { Json.parse(it) as? Map<String, Any?> }.orEmpty()
    } catch (_: JsonException) {
        emptyMap()
    }

    override fun event(event: Event): NimbusException? {
        val who = at(open = true)
        event.userId = or(event.userId, who.user)
        event.anonymousId = or(event.anonymousId, who.anonymous)
        event.props = mapOf("session_id" to who.session) + register.under(event.props).orEmpty()
        return tracker.event(event)
    }

    override fun operation(operation: Operation): NimbusException? {
        if (operation.group == null) {
            val who = at(open = false)
            operation.userId = or(operation.userId, who.user)
            operation.anonymousId = or(operation.anonymousId, who.anonymous)
        }
        return tracker.operation(operation)
    }

    override fun refuse(why: NimbusException): NimbusException = tracker.refuse(why)

    /** An id unless it names nobody, else another one. */
    private fun or(id: String?, otherwise: String?): String? = if (nobody(id)) otherwise else id

    /**
     * Says who the visitor is, as [Calls.identify] does; later events carry the id. When it was another one before,
     * the visitor is reset first: the ids of the one before are not theirs. An id that names nobody is refused, and
     * the person before is forgotten.
     */
    override fun identify(userId: String, props: Map<String, Any?>?, options: Options): NimbusException? {
        if (nobody(userId)) {
            store.set(USER, null)
            return refuse(namesNobody("/user_id"))
        }
        val before = store.get(USER)
        if (!before.isNullOrEmpty() && before != userId) reset()
        store.set(USER, userId)
        return super.identify(userId, props, options)
    }

    /** Says what is known of a group, as [Calls.group] does, and that the visitor belongs to it. */
    override fun group(type: String, key: String, props: Map<String, Any?>?, options: Options): NimbusException? =
        super.group(type, key, props, options) ?: register(mapOf(type to key))

    /** The id of the person before they are known. */
    public val anonymousId: String
        get() = at(open = false).anonymous

    /** The id of the session, which ends after the session timeout without an event and after 24 hours. */
    public val sessionId: String
        get() = at(open = false).session

    /** Forgets the person, the groups and what was registered, and begins a new session: for logging out. */
    public fun reset() {
        synchronized(store) { listOf(USER, ANONYMOUS, SESSION).forEach { store.set(it, null) } }
        register.change { it.clear() }
    }

    private class Who(val user: String?, val anonymous: String, val session: String)

    /** Who the visitor is, and their session, which an event keeps open. */
    private fun at(open: Boolean): Who = synchronized(store) {
        val now = tracker.clock.now().toEpochMilli()
        val anonymous = store.get(ANONYMOUS)?.takeIf { it.isNotEmpty() } ?: randomId().also { store.set(ANONYMOUS, it) }
        val (id, last, begun) = (store.get(SESSION).orEmpty() + "  ").split(' ')
        fun within(time: String, most: Long) = now - (time.toLongOrNull() ?: 0) <= most // damaged, it is long ago
        val same = id.isNotEmpty() && within(last, sessionTimeout.toMillis()) && within(begun, LENGTH)
        val session = if (same) id else randomId()
        if (open || !same) store.set(SESSION, "$session $now ${if (same) begun else now}")
        Who(store.get(USER)?.takeIf { it.isNotEmpty() }, anonymous, session)
    }

    private companion object {
        const val USER = "user"
        const val ANONYMOUS = "anon"
        const val SESSION = "session"
        const val SUPER = "super"

        /** How long a session lasts in ms, whatever happens in it. The server cuts it there too. */
        const val LENGTH = 24L * 60 * 60 * 1000
    }
}
