select verification_id, operator_detail from verification_operator_details where verification_id = any ($1::uuid[])
