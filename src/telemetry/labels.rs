//! The closed sets of label values: each enum and the names that its values have in the metrics.

macro_rules! labels {
    ($($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),+
        }

        impl $type {
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The value of the label.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    )+};
}

labels! {
    /// How a commit ended.
    CommitResult {
        Ok = "ok",
        Failed = "failed",
        /// No answer came; it is asked again.
        Unknown = "unknown",
    }

    /// Why a transaction was given up.
    Abort {
        /// Its partitions were revoked before it could be finished.
        Revoked = "revoked",
        /// Its partitions were lost, or its position in one was.
        Lost = "lost",
        /// A record could not be produced.
        Produce = "produce",
        /// The offsets or the commit were refused.
        Commit = "commit",
        /// Another producer uses the transactional id, or the group has moved on.
        Fenced = "fenced",
        /// The group's coordinator did not answer in time.
        Timeout = "timeout",
        /// The process had to stop.
        Shutdown = "shutdown",
    }

    /// What a rebalance did to our partitions.
    Rebalance {
        Assigned = "assigned",
        Revoked = "revoked",
        Lost = "lost",
    }

    /// What stops all progress.
    Stall {
        /// No broker can be reached.
        Brokers = "brokers",
        /// The output topic takes nothing.
        Output = "output",
        /// The dead-letter topic takes nothing.
        DeadLetters = "dead_letters",
        TopicMissing = "topic_missing",
        /// The group does not take us back, or its coordinator does not answer.
        Group = "group",
        Authorization = "authorization",
        /// Nothing can be committed.
        Commit = "commit",
        /// Too much was rejected.
        Breaker = "breaker",
        /// An open transaction of somebody else holds back what lies behind it in the input.
        InputOpen = "input_open",
    }

    /// Why both clients were made anew.
    Rebuild {
        /// A client could not go on.
        Fatal = "fatal",
        /// Another process used our transactional id or our name in the group.
        Fenced = "fenced",
        /// A topic takes records of another size.
        Limits = "limits",
        /// Secrets were renewed.
        Secrets = "secrets",
        /// Nothing moved though records waited and the brokers answered.
        Stuck = "stuck",
    }

    /// Why a partition's position was given up for `input.start`.
    OffsetReset {
        OutOfRange = "out_of_range",
        /// The topic was deleted and made again.
        Recreated = "recreated",
        /// The log was cut back: it goes on where the logs part.
        Truncated = "truncated",
    }
}
