select expires_at from tokens where id = $1
